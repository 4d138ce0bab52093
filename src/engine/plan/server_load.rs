//! The server's load before a change: are its replicas known, and the sessions of others?

use crate::engine::model::load::ServerLoad;
use crate::engine::model::policy::Policy;
use crate::engine::model::preflight::{Preflight, Ready};
use crate::engine::port::reader::Reader;

/// The lines of a preflight that a reading of the load gives.
pub(in crate::engine) async fn preflight(facts: &dyn Reader, policy: &Policy) -> Vec<Preflight> {
    match facts.load().await {
        Err(e) => vec![Preflight::new("replicas", Ready::Unknown, e.message)],
        Ok(load) => [replicas(policy, &load)].into_iter().chain(unseen_sessions(policy, &load)).collect(),
    }
}

fn unseen_sessions(policy: &Policy, load: &ServerLoad) -> Option<Preflight> {
    let ready = if policy.allow_unknown_load { Ready::Warn } else { Ready::Fail };
    let what = format!(
        "the sessions of other roles cannot be seen, so the load cannot be judged: grant {}, \
         or allow_unknown_load in [policy]",
        load.sessions_need
    );
    (!load.sees_all).then(|| Preflight::new("load", ready, what))
}

fn replicas(policy: &Policy, p: &ServerLoad) -> Preflight {
    match p {
        p if p.unreadable > 0 && !policy.allow_unknown_lag => Preflight::new(
            "replicas",
            Ready::Fail,
            format!(
                "the lag of a replica cannot be read: grant {}, or allow_unknown_lag in [policy]",
                p.lag_needs
            ),
        ),
        p if p.unreadable > 0 => {
            Preflight::new("replicas", Ready::Warn, "the lag of a replica is unknown (allowed)")
        }
        p => match &p.endless {
            Some(why) => Preflight::new("replicas", Ready::Fail, why),
            None if p.replicas == 0 => Preflight::new("replicas", Ready::Ok, "no replica attached"),
            None => Preflight::new(
                "replicas",
                Ready::Ok,
                format!(
                    "{} attached, lag {:.0} ms, {:.0} kB{}",
                    p.replicas,
                    p.lag_ms.unwrap_or(0.0),
                    p.lag_bytes.unwrap_or(0.0) / 1024.0,
                    if p.sync > 0 { format!("; commits wait for {} of them", p.sync) } else { String::new() }
                ),
            ),
        },
    }
}
