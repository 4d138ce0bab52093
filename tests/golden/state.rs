//! What a database holds besides the journal, as text that two builds can compare.

use sha2::{Digest as _, Sha256};

use crate::home::Home;

/// Only appended to, by undo as well; and the pair whose switchover was made final by a cleanup.
const APART: &str = "^(audit_logs|job_log|expenses)";

/// Each table's rows, as a count and a sum.
pub(crate) async fn rows(home: &Home<'_>) -> String {
    let tables = home
        .value(&format!(
            "select string_agg(c.oid::regclass::text, ' ' order by c.oid::regclass::text) from pg_class c
             join pg_namespace n on n.oid = c.relnamespace
             where c.relkind in ('r', 'p') and not c.relispartition and n.nspname !~ '^(pg_|information_schema|midwatch|fault)'
               and c.relname !~ '{APART}'"
        ))
        .await;
    let one = |t: &str| {
        format!(
            "select '{t} ' || count(*) || ' ' || coalesce(md5(string_agg(t::text, e'\\n' order by t::text)), '') as x from {t} t"
        )
    };
    let all: Vec<String> = tables.split_whitespace().map(one).collect();
    home.value(&format!("select string_agg(x, e'\\n' order by x) from ({}) q", all.join(" union all "))).await
}

/// Relations, triggers and functions by their definitions. Change capture stays after a rollback: [`captured`].
pub(crate) async fn objects(home: &Home<'_>) -> String {
    home.value(&format!(
        "select string_agg(x, e'\\n' order by x) from (
           select c.relkind::text || ' ' || c.oid::regclass::text as x from pg_class c
             join pg_namespace n on n.oid = c.relnamespace where n.nspname in ('public', 'repairs') and c.relkind in ('r', 'p', 'v', 'S')
             and not c.relispartition and c.relname !~ '{APART}'
           union all select t.tgenabled::text || ' ' || pg_get_triggerdef(t.oid) from pg_trigger t
             join pg_class c on c.oid = t.tgrelid join pg_namespace n on n.oid = c.relnamespace
             where not t.tgisinternal and t.tgname !~ '^midwatch_mark' and not c.relispartition and c.relname !~ '{APART}' and n.nspname in ('public', 'repairs')
           union all select 'f ' || p.oid::regprocedure || ' ' || md5(pg_get_functiondef(p.oid)) from pg_proc p
             where p.prokind = 'f' and p.proname !~ 'expenses' and p.pronamespace = 'public'::regnamespace
               and not exists (select from pg_depend d where d.objid = p.oid and d.deptype = 'e')) q"
    ))
    .await
}

/// Of a long text.
pub(crate) fn sum(text: &str) -> String {
    hex::encode(Sha256::digest(text.as_bytes()))
}

/// Triggers of change capture on a twin pair.
pub(crate) async fn captured(home: &Home<'_>, name: &str) -> String {
    home.value(&format!(
        "select count(*)::text from pg_trigger t join pg_class c on c.oid = t.tgrelid
         where t.tgname ~ '^midwatch_mark' and c.relname in ('{name}', '{name}_partitioned')"
    ))
    .await
}
