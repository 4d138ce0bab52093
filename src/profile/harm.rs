//! What a configuration could do to whoever starts the program beside it. Every field is decided here: a new one does not
//! compile before it is.

use super::config::{Config, ConsoleConfig, TargetConfig};
use crate::conninfo;
use crate::engine::model::policy::Policy;

/// The lines of a configuration that take effect only with the operator's consent, without secrets; `below` is in force
/// without it. None: the configuration is harmless.
pub(super) fn lines(config: &Config, below: &Config) -> Vec<String> {
    let Config {
        default_target,
        state_dir,
        targets,
        console,
        policy: own,
        path: _,
        values: _,
        profiles: _,
        origin: _,
    } = config;
    // How the console looks; `input` is read from the user's own file only.
    let ConsoleConfig { mouse: _, ascii: _, input: _ } = console;
    let mut lines = Vec::new();
    // Which of the operator's targets is met, and whose keys sign.
    lines.extend(default_target.iter().map(|name| format!("default_target = {name:?}")));
    lines.extend(state_dir.iter().map(|dir| format!("state_dir = {:?}", dir.display().to_string())));
    lines.extend(weaker("policy", own, &below.policy));
    for (name, target) in targets {
        let policy = below.targets.get(name).and_then(|t| t.policy.as_ref()).unwrap_or(&below.policy);
        of_target(&format!("targets.{name}"), target, policy, &mut lines);
    }
    lines
}

/// What the lines do not show, by where it stands.
pub(super) fn hidden(config: &Config) -> Vec<(String, String)> {
    let mut all = Vec::new();
    for (name, target) in &config.targets {
        for (key, secret) in [("url", &target.url), ("redis", &target.redis)] {
            let secrets = secret.iter().flat_map(|s| conninfo::hidden(s.expose()));
            all.extend(secrets.map(|(what, value)| (format!("targets.{name}.{key}: another {what}"), value)));
        }
    }
    all
}

fn of_target(at: &str, target: &TargetConfig, policy: &Policy, lines: &mut Vec<String>) {
    let TargetConfig {
        url,
        redis,
        profile,
        environment,
        // Each only takes away, or says when; what a file below says of them stays.
        read_only: _,
        window: _,
        migrations,
        policy: own,
        sandbox_extensions,
        password_command,
        reader,
        reader_password_command,
        insecure,
        profiles: _,
        base: _,
        profile_by_flag: _,
    } = target;
    for (key, secret) in [("url", url), ("redis", redis)] {
        lines.extend(secret.iter().map(|s| format!("{at}.{key} = {:?}", conninfo::shown(s.expose()))));
    }
    // Who looks: a login of the operator's, or rights that they did not mean to look with.
    let texts = [("profile", profile), ("migrations", migrations), ("reader", reader)];
    lines.extend(
        texts.into_iter().filter_map(|(key, text)| Some(format!("{at}.{key} = {:?}", text.as_ref()?))),
    );
    lines.extend(environment.map(|e| format!("{at}.environment = \"{e}\"")));
    lines.extend(own.iter().flat_map(|own| weaker(&format!("{at}.policy"), own, policy)));
    if !password_command.is_empty() {
        lines.push(format!("{at}.password_command = {password_command:?}"));
    }
    if !reader_password_command.is_empty() {
        lines.push(format!("{at}.reader_password_command = {reader_password_command:?}"));
    }
    if *insecure {
        lines.push(format!("{at}.insecure = true"));
    }
    if !sandbox_extensions.is_empty() {
        lines.push(format!("{at}.sandbox_extensions = {sandbox_extensions:?}"));
    }
}

/// What a policy allows that the other does not.
fn weaker(at: &str, own: &Policy, than: &Policy) -> Vec<String> {
    let Policy {
        plan_ttl_min,
        accept_foreign_plans,
        allow_without_copy,
        headless_irreversible,
        reading_delay_s,
        allow_unknown_lag,
        allow_unknown_load,
        max_replica_lag_ms,
        max_replica_lag_mb,
        max_active_sessions,
        max_lock_waits,
        batch_ms,
        batch_rows,
        lock_timeout_ms,
        lock_attempts,
        statement_timeout_ms,
        guard_off_ms,
        reconnect_s,
        silence_s,
    } = own;
    let allowed = [
        ("accept_foreign_plans", *accept_foreign_plans, than.accept_foreign_plans),
        ("allow_without_copy", *allow_without_copy, than.allow_without_copy),
        ("headless_irreversible", *headless_irreversible, than.headless_irreversible),
        ("allow_unknown_lag", *allow_unknown_lag, than.allow_unknown_lag),
        ("allow_unknown_load", *allow_unknown_load, than.allow_unknown_load),
    ];
    // The smaller the gentler.
    let at_most = [
        ("plan_ttl_min", u64::from(*plan_ttl_min), u64::from(than.plan_ttl_min)),
        ("max_replica_lag_ms", *max_replica_lag_ms, than.max_replica_lag_ms),
        ("max_replica_lag_mb", *max_replica_lag_mb, than.max_replica_lag_mb),
        ("max_active_sessions", u64::from(*max_active_sessions), u64::from(than.max_active_sessions)),
        ("max_lock_waits", u64::from(*max_lock_waits), u64::from(than.max_lock_waits)),
        ("batch_ms", *batch_ms, than.batch_ms),
        ("batch_rows", *batch_rows, than.batch_rows),
        ("lock_timeout_ms", *lock_timeout_ms, than.lock_timeout_ms),
        ("lock_attempts", u64::from(*lock_attempts), u64::from(than.lock_attempts)),
        ("statement_timeout_ms", *statement_timeout_ms, than.statement_timeout_ms),
        ("guard_off_ms", *guard_off_ms, than.guard_off_ms),
        ("reconnect_s", u64::from(*reconnect_s), u64::from(than.reconnect_s)),
        ("silence_s", u64::from(*silence_s), u64::from(than.silence_s)),
    ];
    let at_least = [("reading_delay_s", *reading_delay_s, than.reading_delay_s)];
    let allowed =
        allowed.into_iter().filter(|(_, own, than)| own > than).map(|(key, own, _)| (key, own.to_string()));
    let at_most =
        at_most.into_iter().filter(|(_, own, than)| own > than).map(|(key, own, _)| (key, own.to_string()));
    let at_least =
        at_least.into_iter().filter(|(_, own, than)| own < than).map(|(key, own, _)| (key, own.to_string()));
    allowed.chain(at_most).chain(at_least).map(|(key, own)| format!("{at}.{key} = {own}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str) -> Vec<String> {
        lines(&Config::parse("c", text).unwrap(), &Config::default())
    }

    #[test]
    fn what_only_takes_away_is_harmless() {
        assert_eq!(of("[console]\nascii = true\n[policy]\nbatch_rows = 10\nreading_delay_s = 60"), [""; 0]);
    }

    #[test]
    fn what_names_a_host_or_allows_more_is_shown_without_secrets() {
        let text = "[policy]\nheadless_irreversible = true\nreading_delay_s = 0\n\
                    [targets.a]\nurl = \"postgres://u:s3cret@h/d\"\nprofile = \"p.toml\"\nread_only = true";
        assert_eq!(
            of(text),
            [
                "policy.headless_irreversible = true",
                "policy.reading_delay_s = 0",
                "targets.a.url = \"postgres://u:***@h/d\"",
                "targets.a.profile = \"p.toml\""
            ]
        );
        assert_eq!(of("state_dir = \"s\""), ["state_dir = \"s\""]);
    }
}
