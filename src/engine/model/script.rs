//! What a migration file creates and drops, as far as its tokens tell.

/// Something the catalog can be asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Object {
    /// `relation`, `type`, `function`, `trigger`, `column`, `constraint`, `schema`, `extension`, `role`, `grant`.
    pub kind: &'static str,
    /// Its name as written, quoted where it was.
    pub name: String,
    /// The table of a trigger, column or index; the role of a grant; the body of a function.
    pub of: String,
    /// `OR REPLACE` or `IF NOT EXISTS`: being there proves nothing if something earlier creates it too.
    pub lenient: bool,
}

/// What a file does, as far as its tokens tell.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Script {
    /// What comes.
    pub creates: Vec<Object>,
    /// What goes.
    pub drops: Vec<Object>,
    /// Digest of the tokens without comments and blanks.
    pub fingerprint: String,
}
