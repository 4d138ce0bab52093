//! The target's roles, as a copy has them: names and memberships that decide what runs, and nothing that reaches beyond
//! the copy's database. What the target says is data here; every statement is written by us.

use std::collections::HashSet;
use std::fmt::Write as _;

use serde::Deserialize;

use crate::engine::model::name::Ident;

/// Names only: a statement that the target wrote would be run by a superuser.
pub(super) const ROLES: &str = "
select (select coalesce(json_agg(json_build_object(
          'name', r.rolname, 'inherit', r.rolinherit, 'superuser', r.rolsuper,
          'owns', r.oid = 10 or exists (select from pg_shdepend d join pg_database b on b.oid = d.dbid
                  where b.datname = current_database() and d.deptype = 'o' and d.refobjid = r.oid)) order by r.rolname), '[]')
        from pg_roles r where r.rolname !~ '^pg_') as roles,
       (select coalesce(json_agg(json_build_object('role', r.rolname, 'member', m.rolname,
          'inherit', to_jsonb(a) ->> 'inherit_option', 'set', to_jsonb(a) ->> 'set_option') order by r.rolname, m.rolname), '[]')
        from pg_auth_members a join pg_roles r on r.oid = a.roleid join pg_roles m on m.oid = a.member
        where m.rolname !~ '^pg_' and r.rolname !~ '^pg_') as members,
       (select pg_get_userbyid(d.datdba)::text from pg_database d where d.datname = current_database()) as owner,
       current_user::text as ours";

/// Asked of the copy, whose own answer it is: roles that `$1` must not be a member of, and is.
pub(super) const EXCESS: &str = "
select string_agg(r.rolname::text, ', ' order by r.rolname) from pg_roles r
where pg_has_role($1::name, r.oid, 'member') and r.rolname <> 'pg_read_all_stats'
  and (r.rolname ~ '^pg_' or r.rolsuper or r.rolcreatedb or r.rolcreaterole or r.rolreplication)";

/// The roles of a target.
#[derive(Debug, Default, Deserialize)]
#[serde(from = "Answer")]
pub(super) struct TargetRoles {
    roles: Vec<Role>,
    members: Vec<Membership>,
    /// Of the database.
    owner: Option<String>,
    /// The role that looks at the target.
    ours: String,
}

/// What a target answers, which need not be what it was asked.
#[derive(Debug, Deserialize)]
struct Answer {
    roles: Vec<Role>,
    members: Vec<Membership>,
    owner: Option<String>,
    ours: String,
}

#[derive(Debug, Deserialize)]
struct Role {
    name: String,
    inherit: bool,
    superuser: bool,
    /// Something in the database.
    owns: bool,
}

#[derive(Debug, Deserialize)]
struct Membership {
    role: String,
    member: String,
    inherit: Option<String>,
    set: Option<String>,
}

impl From<Answer> for TargetRoles {
    /// Only what the copy makes: a member of one of the server's own roles may read its files and run programs there.
    fn from(answer: Answer) -> Self {
        let Answer { mut roles, mut members, owner, ours } = answer;
        roles.retain(|r| !r.name.starts_with("pg_"));
        let made: HashSet<&str> = roles.iter().map(|r| r.name.as_str()).collect();
        members.retain(|m| made.contains(m.role.as_str()) && made.contains(m.member.as_str()));
        Self { roles, members, owner, ours }
    }
}

/// Members may make things where owners of things may: `pg_restore` gives each its owner, who need not be allowed to make
/// another on the target.
pub(super) struct Made<'a> {
    /// The role that logs in.
    pub(super) tenant: &'a str,
    /// The group that makes things.
    pub(super) makers: &'a str,
    /// A backup is compared row by row, whatever its policies say.
    pub(super) bypass_rls: bool,
}

impl TargetRoles {
    /// The database's owner, if it is one of the roles.
    pub(super) fn owner(&self) -> Option<&str> {
        let owner = self.owner.as_deref()?;
        self.roles.iter().any(|r| r.name == owner).then_some(owner)
    }

    /// Makes them, members of each other as on the target. A superuser there is a member of all the others here: what it
    /// does in functions works in the copy, too. Not by `pg_read_all_data`, which reads the superuser's password, too.
    pub(super) fn script(&self, made: &Made<'_>) -> String {
        let Made { tenant, makers, bypass_rls } = *made;
        let tenant = Ident(tenant);
        let mut out = String::new();
        for role in &self.roles {
            let inherit = if role.inherit || role.superuser { "inherit" } else { "noinherit" };
            let rls = if bypass_rls { "bypassrls" } else { "nobypassrls" };
            let _ = writeln!(
                out,
                "create role {name} nologin nosuperuser nocreatedb nocreaterole noreplication {rls} {inherit}; \
                 grant {name} to {tenant};",
                name = Ident(&role.name)
            );
            if role.owns || role.superuser || Some(role.name.as_str()) == self.owner.as_deref() {
                let _ = writeln!(out, "grant {} to {};", Ident(makers), Ident(&role.name));
            }
        }
        for m in &self.members {
            let _ = writeln!(out, "grant {} to {}{};", Ident(&m.role), Ident(&m.member), m.options());
        }
        out.push_str(&self.superusers());
        out
    }

    /// Membership in a circle is refused by the server: then the other way round is enough.
    fn superusers(&self) -> String {
        let (supers, others): (Vec<_>, Vec<_>) = self.roles.iter().partition(|r| r.superuser);
        let ours = supers.iter().find(|s| s.name == self.ours);
        let of_ours = ours.into_iter().flat_map(|o| supers.iter().map(move |s| (*s, *o)));
        let of_all = supers.iter().flat_map(|s| others.iter().map(move |o| (*o, *s)));
        let mut blocks = String::new();
        for (role, member) in of_ours.chain(of_all).filter(|(r, m)| r.name != m.name) {
            let _ = writeln!(
                blocks,
                "begin grant {} to {}; exception when invalid_grant_operation then null; end;",
                Ident(&role.name),
                Ident(&member.name)
            );
        }
        if blocks.is_empty() {
            return blocks;
        }
        format!("do {};", crate::engine::model::name::literal(&format!("begin {blocks} end")))
    }
}

impl Membership {
    /// From PostgreSQL 16 on a membership says what it gives.
    fn options(&self) -> String {
        let word = |value: &Option<String>| value.as_deref().map(|v| v == "true" || v == "t");
        let told: Vec<String> = [("inherit", word(&self.inherit)), ("set", word(&self.set))]
            .into_iter()
            .filter_map(|(name, value)| Some(format!("{name} {}", value?)))
            .collect();
        if told.is_empty() { String::new() } else { format!(" with {}", told.join(", ")) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn roles(text: &str) -> TargetRoles {
        serde_json::from_str(text).unwrap()
    }

    #[test]
    fn no_attribute_comes_with_a_role_and_no_name_ends_its_quotes() {
        let roles = roles(
            r#"{"roles": [{"name": "x\" superuser; --", "inherit": false, "superuser": false, "owns": true},
                          {"name": "dba", "inherit": false, "superuser": true, "owns": false}],
                "members": [{"role": "dba", "member": "x\" superuser; --", "inherit": "true", "set": "false"}],
                "owner": "nobody here", "ours": "dba"}"#,
        );
        let made = Made { tenant: "t", makers: "m", bypass_rls: false };
        let script = roles.script(&made);
        assert!(script.contains(
            r#"create role "x"" superuser; --" nologin nosuperuser nocreatedb nocreaterole noreplication nobypassrls noinherit;"#
        ));
        assert!(script.contains(r#"grant "dba" to "x"" superuser; --" with inherit true, set false;"#));
        assert!(script.contains(r#"begin grant "x"" superuser; --" to "dba"; exception"#), "{script}");
        assert_eq!(roles.owner(), None);
    }

    #[test]
    fn nobody_becomes_a_member_of_a_role_that_the_copy_does_not_make() {
        let member = |role: &str, of: &str| {
            format!(r#"{{"role": "{of}", "member": "{role}", "inherit": null, "set": null}}"#)
        };
        let role = |name: &str| {
            format!(r#"{{"name": "{name}", "inherit": true, "superuser": false, "owns": false}}"#)
        };
        let roles = roles(&format!(
            r#"{{"roles": [{}], "members": [{}], "owner": "pg_monitor", "ours": "a"}}"#,
            ["a", "b", "pg_monitor"].map(role).join(", "),
            [
                member("a", "b"),
                member("a", "pg_execute_server_program"),
                member("pg_monitor", "a"),
                member("a", "postgres")
            ]
            .join(", ")
        ));
        let script = roles.script(&Made { tenant: "t", makers: "m", bypass_rls: false });
        let granted: Vec<_> = script.lines().filter(|l| l.starts_with("grant ")).collect();
        assert_eq!(granted, [r#"grant "b" to "a";"#]);
        assert!(!script.contains("pg_"), "{script}");
        assert_eq!(roles.owner(), None);
    }
}
