//! Every name that a connection string of libpq 18 may hold, and what becomes of it here: it is honoured, or it is refused by
//! name. None is dropped.

/// What becomes of a parameter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fate {
    /// It does what it does in libpq.
    Honoured,
    /// These values are what is done here in any case; another one is refused.
    Only(&'static [&'static str]),
    /// Always refused.
    Refused,
    /// Sessions are known by names of midwatch's own (`midwatch/reader`), which the journal and other operators rely on.
    Ours,
}

/// One of libpq's parameters.
#[derive(Debug)]
pub(super) struct Keyword {
    pub(super) name: &'static str,
    /// The environment variable that it may come from.
    pub(super) variable: Option<&'static str>,
    pub(super) fate: Fate,
}

const fn keyword(name: &'static str, variable: &'static str, fate: Fate) -> Keyword {
    Keyword { name, variable: Some(variable), fate }
}

const fn unnamed(name: &'static str, fate: Fate) -> Keyword {
    Keyword { name, variable: None, fate }
}

use Fate::{Honoured, Only, Ours, Refused};

/// In libpq's order (`PQconndefaults`).
pub(super) const KEYWORDS: &[Keyword] = &[
    keyword("service", "PGSERVICE", Honoured),
    keyword("user", "PGUSER", Honoured),
    keyword("password", "PGPASSWORD", Honoured),
    keyword("passfile", "PGPASSFILE", Honoured),
    keyword("channel_binding", "PGCHANNELBINDING", Only(&["prefer", "disable"])),
    keyword("connect_timeout", "PGCONNECT_TIMEOUT", Honoured),
    keyword("dbname", "PGDATABASE", Honoured),
    keyword("host", "PGHOST", Honoured),
    keyword("hostaddr", "PGHOSTADDR", Honoured),
    keyword("port", "PGPORT", Honoured),
    keyword(
        "client_encoding",
        "PGCLIENTENCODING",
        Only(&["UTF8", "UTF-8", "utf8", "utf-8", "unicode", "auto"]),
    ),
    keyword("options", "PGOPTIONS", Honoured),
    keyword("application_name", "PGAPPNAME", Ours),
    unnamed("fallback_application_name", Ours),
    unnamed("keepalives", Honoured),
    unnamed("keepalives_idle", Honoured),
    unnamed("keepalives_interval", Honoured),
    unnamed("keepalives_count", Honoured),
    unnamed("tcp_user_timeout", Honoured),
    keyword("sslmode", "PGSSLMODE", Honoured),
    keyword("sslnegotiation", "PGSSLNEGOTIATION", Only(&["postgres"])),
    keyword("sslcompression", "PGSSLCOMPRESSION", Only(&["0"])),
    keyword("sslcert", "PGSSLCERT", Honoured),
    keyword("sslkey", "PGSSLKEY", Honoured),
    keyword("sslcertmode", "PGSSLCERTMODE", Only(&["allow"])),
    unnamed("sslpassword", Refused),
    keyword("sslrootcert", "PGSSLROOTCERT", Honoured),
    keyword("sslcrl", "PGSSLCRL", Honoured),
    keyword("sslcrldir", "PGSSLCRLDIR", Refused),
    keyword("sslsni", "PGSSLSNI", Honoured),
    keyword("requirepeer", "PGREQUIREPEER", Honoured),
    keyword("require_auth", "PGREQUIREAUTH", Honoured),
    keyword("min_protocol_version", "PGMINPROTOCOLVERSION", Only(&["3.0"])),
    keyword("max_protocol_version", "PGMAXPROTOCOLVERSION", Only(&["3.0", "3.2", "latest"])),
    keyword("ssl_min_protocol_version", "PGSSLMINPROTOCOLVERSION", Honoured),
    keyword("ssl_max_protocol_version", "PGSSLMAXPROTOCOLVERSION", Honoured),
    keyword("gssencmode", "PGGSSENCMODE", Only(&["disable", "prefer"])),
    keyword("krbsrvname", "PGKRBSRVNAME", Only(&["postgres"])),
    keyword("gsslib", "PGGSSLIB", Refused),
    keyword("gssdelegation", "PGGSSDELEGATION", Only(&["0"])),
    unnamed("replication", Only(&["false", "off", "no", "0"])),
    keyword("target_session_attrs", "PGTARGETSESSIONATTRS", Honoured),
    keyword("load_balance_hosts", "PGLOADBALANCEHOSTS", Only(&["disable"])),
    unnamed("scram_client_key", Refused),
    unnamed("scram_server_key", Refused),
    unnamed("oauth_issuer", Refused),
    unnamed("oauth_client_id", Refused),
    unnamed("oauth_client_secret", Refused),
    unnamed("oauth_scope", Refused),
    unnamed("sslkeylogfile", Refused),
];

/// The parameter of that name.
pub(super) fn find(name: &str) -> Option<&'static Keyword> {
    KEYWORDS.iter().find(|k| k.name == name)
}
