//! What the check of roles asks of PostgreSQL's catalog, which every role may read.

#![expect(clippy::disallowed_methods, reason = "SQL stands here")]

use crate::engine::model::name::Ident;
use crate::engine::model::query::{Param, Sql};
use crate::features::roles::facts::{CreateRight, SchemaCreator};
use crate::features::roles::sql::RolesSql;

/// PostgreSQL's statements.
pub(crate) struct PostgresRoles;

/// They reach files, programs or sessions of others.
const POWERS: &str =
    "'pg_execute_server_program', 'pg_write_server_files', 'pg_read_server_files', 'pg_signal_backend'";

// A READ ONLY transaction stops none of these: they write no row. Membership without INHERIT and SET counts, since who has
// the right to grant it has it.
const READER: &str = "
select current_user::text as role,
       (select rolsuper from pg_roles where rolname = current_user) as superuser,
       array(select rolname::text from pg_roles
             where rolsuper and rolname <> current_user and pg_has_role(current_user, oid, 'member') order by 1) as as_superuser,
       array(select rolname::text from pg_roles
             where rolname in (POWERS)
               and pg_has_role(current_user, oid, 'member') order by 1) as powers";

// An attribute counts where a member can change to the role that has it.
const MIGHT: &str = "
select array(
  select r.rolname::text from pg_roles r
  where r.rolname in (current_user, $1)
    and exists (select from pg_roles p
                where (p.rolsuper or p.rolcreaterole or p.rolbypassrls or p.rolreplication
                       or p.rolname in (POWERS, 'pg_write_all_data'))
                  and pg_has_role(r.oid, p.oid, 'member'))
  order by 1) as powerful";

// The owner of the database is a member of pg_database_owner, which owns public from 15 on.
const CREATORS: &str = "
with path as (
  select s.name, s.i, n.oid, n.nspowner, n.nspacl
  from unnest($1::text[]) with ordinality s(name, i) left join pg_namespace n on n.nspname = s.name),
rights as (
  select p.i, p.name, 'owner' as \"right\", p.nspowner as role from path p where p.oid is not null
  union all
  select p.i, p.name, 'granted', a.grantee
  from path p, aclexplode(coalesce(p.nspacl, acldefault('n', p.nspowner))) a
  where p.oid is not null and a.privilege_type = 'CREATE' and a.grantee <> p.nspowner
  union all
  select p.i, p.name, 'absent', a.grantee
  from path p, pg_database d, aclexplode(coalesce(d.datacl, acldefault('d', d.datdba))) a
  where p.oid is null and d.datname = current_database() and a.privilege_type = 'CREATE')
select distinct r.i, r.name as schema, r.\"right\", o.rolname::text as role
from rights r left join pg_roles o on o.oid = r.role
where r.role = 0 or o.oid is not null and not o.rolsuper and o.rolname not in ('pg_database_owner', $2)
  and o.oid <> (select datdba from pg_database where datname = current_database())
order by r.i, r.\"right\", role nulls first";

fn name(role: Option<&String>) -> String {
    role.map_or_else(|| "PUBLIC".to_owned(), |r| Ident(r).to_string())
}

impl RolesSql for PostgresRoles {
    fn reader(&self) -> Sql {
        Sql::new(READER.replace("POWERS", POWERS))
    }

    fn creators(&self, schemas: &[String], own: &str) -> Sql {
        Sql::new(CREATORS).bind([Param::Texts(schemas.to_vec()), Param::from(own)])
    }

    fn might(&self, role: &str) -> Sql {
        Sql::new(MIGHT.replace("POWERS", POWERS)).bind([Param::from(role)])
    }

    fn revocation(&self, creator: &SchemaCreator, database: &str) -> String {
        let (schema, role) = (Ident(&creator.schema), name(creator.role.as_ref()));
        match creator.right {
            CreateRight::Granted => format!("REVOKE CREATE ON SCHEMA {schema} FROM {role}"),
            CreateRight::Owner => format!("ALTER SCHEMA {schema} OWNER TO pg_database_owner"),
            CreateRight::Absent => format!("REVOKE CREATE ON DATABASE {} FROM {role}", Ident(database)),
        }
    }
}
