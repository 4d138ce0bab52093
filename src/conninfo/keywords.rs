//! Every name that a connection string of libpq 18 may hold, with its variable, and what becomes of it here: it is honoured, or
//! it is refused by name. None is dropped.

/// What becomes of a parameter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// It does what it does in libpq.
    Honoured,
    /// These values are what is done here in any case; another one is refused.
    Only(&'static [&'static str]),
    /// Always refused.
    Refused,
    /// Sessions are known by names of midwatch's own (`midwatch/reader`), which the journal and other operators rely on.
    Ours,
}

/// What a parameter's variable says of the target, where nothing else names one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Naming {
    /// Which it is: it comes before a file that was found.
    Target,
    /// Enough to connect where no file has a target.
    Part,
    /// How it is connected to.
    Nothing,
}

/// One of libpq's parameters.
#[derive(Debug)]
pub struct Keyword {
    /// In a connection string.
    pub name: &'static str,
    /// The environment variable that it may come from.
    pub variable: Option<&'static str>,
    /// What becomes of it.
    pub fate: Fate,
    /// What its variable says of the target.
    pub naming: Naming,
    /// Its value is shown nowhere.
    pub secret: bool,
}

impl Keyword {
    const fn naming(self, naming: Naming) -> Self {
        Self { naming, ..self }
    }

    const fn secret(self) -> Self {
        Self { secret: true, ..self }
    }
}

const fn keyword(name: &'static str, variable: &'static str, fate: Fate) -> Keyword {
    Keyword { variable: Some(variable), ..unnamed(name, fate) }
}

const fn unnamed(name: &'static str, fate: Fate) -> Keyword {
    Keyword { name, variable: None, fate, naming: Naming::Nothing, secret: false }
}

use Fate::{Honoured, Only, Ours, Refused};
use Naming::{Part, Target};

/// In libpq's order (`PQconndefaults`).
pub const KEYWORDS: &[Keyword] = &[
    keyword("service", "PGSERVICE", Honoured).naming(Target),
    keyword("user", "PGUSER", Honoured).naming(Part),
    keyword("password", "PGPASSWORD", Honoured).secret(),
    keyword("passfile", "PGPASSFILE", Honoured),
    keyword("channel_binding", "PGCHANNELBINDING", Only(&["prefer", "disable"])),
    keyword("connect_timeout", "PGCONNECT_TIMEOUT", Honoured),
    keyword("dbname", "PGDATABASE", Honoured).naming(Target),
    keyword("host", "PGHOST", Honoured).naming(Target),
    keyword("hostaddr", "PGHOSTADDR", Honoured).naming(Target),
    keyword("port", "PGPORT", Honoured).naming(Part),
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
    unnamed("sslpassword", Refused).secret(),
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
    unnamed("scram_client_key", Refused).secret(),
    unnamed("scram_server_key", Refused).secret(),
    unnamed("oauth_issuer", Refused),
    unnamed("oauth_client_id", Refused),
    unnamed("oauth_client_secret", Refused).secret(),
    unnamed("oauth_scope", Refused),
    unnamed("sslkeylogfile", Refused),
];

/// Variables that no parameter has, and that are read as libpq does.
const OTHERS: [&str; 3] = ["PGSERVICEFILE", "PGSYSCONFDIR", "PGREQUIRESSL"];

/// Every variable that a connection may be made with.
pub fn variables() -> impl Iterator<Item = &'static str> {
    KEYWORDS.iter().filter_map(|k| k.variable).chain(OTHERS)
}

/// The parameter of that name.
pub fn find(name: &str) -> Option<&'static Keyword> {
    KEYWORDS.iter().find(|k| k.name == name)
}
