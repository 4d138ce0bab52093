//! Configurations of a working directory that the operator has trusted: each by path, owner and content.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use toml::{Table, Value};

use super::config::Config;
use crate::disk;
use crate::engine::model::error::{Error, Result};

/// The list, in the user's state directory.
const LIST: &str = "trusted.json";
/// For another process that changes it.
const PATIENCE: Duration = Duration::from_secs(5);

/// A file that was trusted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TrustedFile {
    /// Without links.
    pub path: PathBuf,
    /// The user whose file it is.
    pub owner: u32,
    /// Of its bytes, in hexadecimal digits.
    pub sha256: String,
    /// The same of the profile files that it names and of those beside it.
    pub profiles: BTreeMap<PathBuf, String>,
    /// What was consented to, without the secrets of urls.
    pub lines: Vec<String>,
    /// Of each of those secrets the beginning of a digest: enough to see that it is another one, too little to find it.
    #[serde(default)]
    pub hidden: BTreeMap<String, String>,
}

impl TrustedFile {
    /// Are these the same files?
    pub fn is_of(&self, now: &Self) -> bool {
        let of = |file: &Self| (file.path.clone(), file.owner, file.sha256.clone(), file.profiles.clone());
        of(self) == of(now)
    }

    /// Are these the same files, and do they say nothing that was not consented to? A line may count only since what is in force
    /// without it became stricter.
    pub fn covers(&self, now: &Self) -> bool {
        self.is_of(now) && now.lines.iter().all(|line| self.lines.contains(line))
    }

    /// What is not shown, and is another than it was.
    fn hidden_changes<'f>(&'f self, before: &'f Self) -> impl Iterator<Item = &'f String> {
        let changed = |what: &String, sum: &String| before.hidden.get(what).is_some_and(|b| b != sum);
        self.hidden.iter().filter(move |(what, sum)| changed(what, sum)).map(|(what, _)| what)
    }
}

/// A file of the working directory that has no effect.
#[derive(Debug, Clone)]
pub struct UntrustedFile {
    /// As it stands now.
    pub now: TrustedFile,
    /// As it was trusted, where it was.
    pub before: Option<TrustedFile>,
    /// Why it cannot be trusted as it stands.
    pub refusal: Option<Error>,
}

impl UntrustedFile {
    /// One that is broken, or that others can change.
    pub(super) fn refused(path: &Path, why: Error) -> Self {
        let now = TrustedFile {
            path: canonical(path),
            owner: 0,
            sha256: String::new(),
            profiles: BTreeMap::new(),
            lines: vec![],
            hidden: BTreeMap::new(),
        };
        Self { now, before: None, refusal: Some(why) }
    }

    /// Why it has no effect.
    pub fn why(&self) -> &'static str {
        match &self.before {
            None => "is not trusted",
            Some(before) if before.is_of(&self.now) => "allows more than when it was trusted",
            Some(_) => "has changed since it was trusted",
        }
    }

    /// The command that trusts it.
    pub fn command(&self) -> String {
        format!("midwatch config trust {}", self.now.path.display())
    }

    /// What it would do, or how that differs from what was trusted.
    pub fn shown(&self) -> Vec<String> {
        let all = |file: &TrustedFile| -> Vec<String> {
            let profiles = file.profiles.iter().map(|(path, sum)| {
                format!("profile {} (sha256 {})", path.display(), sum.get(..12).unwrap_or(sum))
            });
            file.lines.iter().cloned().chain(profiles).collect()
        };
        let now = all(&self.now);
        let Some(trusted) = &self.before else { return now };
        let before = all(trusted);
        let gone = before.iter().filter(|line| !now.contains(line)).map(|line| format!("- {line}"));
        let new = now.iter().filter(|line| !before.contains(line)).map(|line| format!("+ {line}"));
        let hidden = self.now.hidden_changes(trusted).map(|what| format!("+ {what}"));
        let changed: Vec<String> = gone.chain(new).chain(hidden).collect();
        if !changed.is_empty() {
            return changed;
        }
        // One that was trusted by an earlier build has no digests.
        let known = trusted.hidden.len() == self.now.hidden.len();
        let what = if known { "text that does nothing" } else { "a password, or text that does nothing" };
        vec![what.into()]
    }

    /// A failure that names the file and the command.
    pub fn error(&self) -> Error {
        if let Some(why) = &self.refusal {
            return why.clone();
        }
        Error::usage(format!("{} {} and has no effect", self.now.path.display(), self.why()))
            .hint(format!("{}, after looking at it", self.command()))
    }
}

/// Hexadecimal digits of it that are kept of a secret.
const HIDDEN_DIGITS: usize = 6;

fn hidden_digest(path: &Path, what: &str, secret: &str) -> String {
    let mut digits = sha256(format!("{}\0{what}\0{secret}", path.display()).as_bytes());
    digits.truncate(HIDDEN_DIGITS);
    digits
}

pub(super) fn sha256(bytes: &[u8]) -> String {
    hex::encode(Sha256::digest(bytes))
}

/// A file as it stands: of these bytes, with these lines, which leave out what is `hidden`.
pub(super) fn describe(
    path: &Path,
    owner: u32,
    text: &str,
    config: &Config,
    lines: Vec<String>,
    hidden: Vec<(String, String)>,
) -> Result<TrustedFile> {
    let mut profiles = BTreeMap::new();
    let base = path.parent().unwrap_or(Path::new("."));
    let beside = std::fs::read_dir(base.join("profiles")).into_iter().flatten().flatten().map(|e| e.path());
    let named = config.targets.values().filter_map(|t| profile_path(base, t.profile.as_deref()?));
    let all: Vec<PathBuf> =
        beside.filter(|p| p.extension().is_some_and(|x| x == "toml")).chain(named).collect();
    for profile in all {
        collect(&profile, &mut profiles)?;
    }
    let hidden = hidden.into_iter().map(|(what, secret)| {
        let digest = hidden_digest(path, &what, &secret);
        (what, digest)
    });
    Ok(TrustedFile {
        path: path.to_owned(),
        owner,
        sha256: sha256(text.as_bytes()),
        profiles,
        lines,
        hidden: hidden.collect(),
    })
}

/// Where a profile that is named by its path stands: beside the file that names it, and nowhere else.
pub(super) fn profile_path(base: &Path, name: &str) -> Option<PathBuf> {
    let is_path = name.contains('/') || Path::new(name).extension().is_some_and(|e| e == "toml");
    is_path.then(|| base.join(name))
}

/// The directory where the names in a file start. A link to it says nothing of what stands beside the link.
pub(super) fn directory_of(file: &Path) -> PathBuf {
    canonical(file).parent().map_or_else(PathBuf::new, Path::to_owned)
}

/// A path by which the same file is always named.
pub(super) fn canonical(path: &Path) -> PathBuf {
    path.canonicalize().unwrap_or_else(|_| path.to_owned())
}

/// A profile file and those that it extends.
fn collect(path: &Path, into: &mut BTreeMap<PathBuf, String>) -> Result<()> {
    let path = canonical(path);
    if into.contains_key(&path) {
        return Ok(());
    }
    let (text, _) = disk::owned_text(&path)
        .map_err(|e| Error::usage(format!("failed to read the profile {}: {e}", path.display())))?;
    let base = directory_of(&path);
    into.insert(path, sha256(text.as_bytes()));
    // A text that is no TOML is refused where it is used.
    match text.parse::<Table>().ok().and_then(|mut t| t.remove("extends")) {
        Some(Value::String(parent)) => match profile_path(&base, &parent) {
            Some(parent) => collect(&parent, into),
            None => Ok(()),
        },
        _ => Ok(()),
    }
}

/// All files that are trusted.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct TrustList(Vec<TrustedFile>);

impl TrustList {
    fn place() -> Option<PathBuf> {
        Some(xdg::BaseDirectories::with_prefix("midwatch").get_state_home()?.join(LIST))
    }

    /// The list of this user. One that others could have written is an error.
    pub fn read() -> Result<Self> {
        let Some(path) = Self::place().filter(|p| p.symlink_metadata().is_ok()) else {
            return Ok(Self::default());
        };
        let fail = |e: &dyn std::fmt::Display| {
            Error::usage(format!("failed to read what is trusted: {}: {e}", path.display()))
                .hint("remove the file, then trust again what is to be trusted")
        };
        let (text, _) = disk::owned_text(&path).map_err(|e| fail(&e))?;
        serde_json::from_str(&text).map_err(|e| fail(&e))
    }

    /// Reads, changes and writes it; one process at a time. `change` says whether anything was changed.
    fn change(change: impl FnOnce(&mut Vec<TrustedFile>) -> bool) -> Result<bool> {
        let path = Self::place()
            .ok_or_else(|| Error::usage("there is no place to keep what is trusted").hint("set HOME"))?;
        let fail =
            |e: &dyn std::fmt::Display| Error::usage(format!("failed to write {}: {e}", path.display()));
        disk::own_directory(path.parent().unwrap_or(Path::new("."))).map_err(|e| fail(&e))?;
        let _lock = disk::lock(&path.with_extension("lock"), PATIENCE).map_err(|e| fail(&e))?;
        let mut list = Self::read()?;
        let changed = change(&mut list.0);
        if changed {
            let text = serde_json::to_string_pretty(&list).map_err(|e| fail(&e))?;
            disk::save(&path, text.as_bytes()).map_err(|e| fail(&e))?;
        }
        Ok(changed)
    }

    /// As a file was trusted.
    pub fn file(&self, path: &Path) -> Option<&TrustedFile> {
        self.0.iter().find(|f| f.path == path)
    }

    /// All, in the order of trusting.
    pub fn files(&self) -> &[TrustedFile] {
        &self.0
    }

    /// Trusts a file as it stands.
    pub fn trust(file: TrustedFile) -> Result<()> {
        Self::change(|list| {
            list.retain(|f| f.path != file.path);
            list.push(file);
            true
        })?;
        Ok(())
    }

    /// Trusts a file no more; false: it was not trusted.
    pub fn untrust(path: &Path) -> Result<bool> {
        let path = canonical(path);
        Self::change(|list| {
            let before = list.len();
            list.retain(|f| f.path != path);
            list.len() < before
        })
    }
}
