//! The profiles at hand: the built-in ones, and files, which may extend them and never stand in their place.

use std::path::{Component, Path, PathBuf};

use include_dir::{Dir, include_dir};
use toml::{Table, Value};

use super::config::{ProfileFiles, user_dir};
use super::parse::{at, describe};
use super::trust::{canonical, directory_of, profile_path, sha256};
use super::validate::validate;
use super::write::parse_profile;
use crate::disk;
use crate::engine::check::verdict::VerdictSpec;
use crate::engine::model::error::{Error, Result};
use crate::engine::model::profile::Profile;

static BUILT_IN: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/assets/profiles");

/// Where profiles come from: `profiles/` beside the configuration and in the user's directory, then the built-in ones.
#[derive(Debug, Clone)]
pub struct Library {
    dirs: Vec<PathBuf>,
    base: PathBuf,
    files: ProfileFiles,
    /// A profile that a flag names, which is consent to its file.
    named: Option<String>,
    verdicts: &'static [&'static [VerdictSpec]],
}

impl Library {
    /// A library for a configuration in `base`; its profiles may ask for these verdicts.
    pub fn new(base: &Path, verdicts: &'static [&'static [VerdictSpec]]) -> Self {
        let dirs = [Some(base.join("profiles")), user_dir().map(|d| d.join("profiles"))];
        let dirs = dirs.into_iter().flatten().collect();
        Self { dirs, base: base.to_owned(), files: ProfileFiles::Named, named: None, verdicts }
    }

    /// The same with files of the configuration that may be used; `named`: the profile that a flag asks for.
    #[must_use]
    pub fn using(self, files: &ProfileFiles, named: Option<&str>) -> Self {
        let beside = matches!(files, ProfileFiles::Absent);
        let dirs = self.dirs.into_iter().filter(|d| !beside || !d.starts_with(&self.base)).collect();
        Self { dirs, files: files.clone(), named: named.map(str::to_owned), ..self }
    }

    /// A profile by name or path.
    pub fn load(&self, name: &str) -> Result<Profile> {
        let consent = self.named.as_deref() == Some(name);
        // What a flag names starts where the operator stands.
        let base = if consent { Path::new("") } else { &self.base };
        let (file, text) = self.text(base, name, consent)?;
        self.checked(&file, &text, consent)
    }

    /// Validates a profile's text as if it came from `file`.
    pub fn build(&self, file: &str, text: &str) -> Result<Profile> {
        self.checked(file, text, false)
    }

    fn checked(&self, file: &str, text: &str, consent: bool) -> Result<Profile> {
        let profile = match extends(file, text)? {
            None => parse_profile(file, text)?,
            Some((mut own, parent)) => {
                let (parent_file, parent_text) =
                    self.text(&directory_of(Path::new(file)), &parent, consent)?;
                if parent_file == file {
                    return Err(at(file, text, "extends", "a profile cannot extend itself"));
                }
                let mut merged: Table = parse_profile(&parent_file, &parent_text)?;
                own.remove("extends");
                merge(&mut merged, own);
                Value::Table(merged).try_into().map_err(|e: toml::de::Error| describe(file, text, &e))?
            }
        };
        validate(file, text, &profile, self.verdicts)?;
        if is_built_in(&profile.name) && file != built_in_file(&profile.name) {
            return Err(at(file, text, "name", shadows(&profile.name)).hint(OWN_NAME));
        }
        Ok(profile)
    }

    /// Every profile, by name; broken ones are errors, not silence.
    pub fn all(&self) -> Result<Vec<Profile>> {
        let mut names: Vec<String> = BUILT_IN.files().filter_map(|f| stem(f.path())).collect();
        for dir in &self.dirs {
            let entries = std::fs::read_dir(dir).into_iter().flatten().flatten().map(|e| e.path());
            let files = entries.filter(|p| p.extension().is_some_and(|x| x == "toml"));
            names.extend(files.filter(|p| self.may_use(p)).filter_map(|p| stem(&p)));
        }
        names.sort();
        names.dedup();
        names.iter().map(|n| self.load(n)).collect()
    }

    /// A profile's file and its text; `base`: where its name starts, if that is a path.
    fn text(&self, base: &Path, name: &str, consent: bool) -> Result<(String, String)> {
        if let Some(path) = profile_path(base, name) {
            return self.read(&path, consent);
        }
        for dir in &self.dirs {
            let path = dir.join(format!("{name}.toml"));
            if path.exists() && (consent || self.may_use(&path)) {
                if is_built_in(name) {
                    return Err(Error::usage(format!("{}: {}", path.display(), shadows(name))).hint(OWN_NAME));
                }
                return self.read(&path, consent);
            }
        }
        let built_in = BUILT_IN.get_file(format!("{name}.toml")).and_then(include_dir::File::contents_utf8);
        built_in.map(|t| (built_in_file(name), t.to_owned())).ok_or_else(|| {
            let known: Vec<_> = BUILT_IN.files().filter_map(|f| stem(f.path())).collect();
            Error::usage(format!("no profile {name}"))
                .hint(format!("built in: {}; or name a file ending in .toml", known.join(", ")))
        })
    }

    /// Is a file of a directory of profiles to be looked at? What it holds is compared when it is read.
    fn may_use(&self, path: &Path) -> bool {
        match &self.files {
            ProfileFiles::Named => true,
            ProfileFiles::Trusted(files) => is_users(path) || files.contains_key(&canonical(path)),
            ProfileFiles::Absent => is_users(path),
        }
    }

    /// The bytes that are parsed are those that were trusted.
    fn read(&self, path: &Path, consent: bool) -> Result<(String, String)> {
        let fail = |e: &dyn std::fmt::Display| {
            Error::usage(format!("failed to read the profile {}: {e}", path.display()))
        };
        let (text, _) = disk::owned_text(path).map_err(|e| fail(&e))?;
        let trusted = match &self.files {
            ProfileFiles::Trusted(files) if !consent && !is_users(path) => {
                files.get(&canonical(path)).is_some_and(|sum| *sum == sha256(text.as_bytes()))
            }
            _ => true,
        };
        if !trusted {
            return Err(
                fail(&"it is not as it was trusted").hint("midwatch config trust, after looking at it")
            );
        }
        Ok((path.display().to_string(), text))
    }
}

const OWN_NAME: &str = "give it a name of its own; extends = \"NAME\" takes over what is built in";

fn shadows(name: &str) -> String {
    format!("{name} is the name of a built-in profile")
}

fn is_built_in(name: &str) -> bool {
    BUILT_IN.get_file(format!("{name}.toml")).is_some()
}

fn built_in_file(name: &str) -> String {
    format!("built-in {name}.toml")
}

fn is_users(path: &Path) -> bool {
    user_dir().is_some_and(|dir| is_below(path, &dir))
}

/// Does a path lead into a directory, and not out of it again? Links in the user's directory are the user's.
fn is_below(path: &Path, dir: &Path) -> bool {
    path.starts_with(dir) && !path.components().any(|c| c == Component::ParentDir)
}

fn stem(path: &Path) -> Option<String> {
    path.file_stem().map(|s| s.to_string_lossy().into_owned())
}

fn extends(file: &str, text: &str) -> Result<Option<(Table, String)>> {
    let table: Table = parse_profile(file, text)?;
    match table.get("extends") {
        None => Ok(None),
        Some(Value::String(parent)) => {
            let parent = parent.clone();
            Ok(Some((table, parent)))
        }
        Some(_) => Err(at(file, text, "extends", "extends takes the name of a profile")),
    }
}

/// Entries of lists replace those of the same name and otherwise come after; the rest overrides.
fn merge(into: &mut Table, from: Table) {
    for (key, value) in from {
        match (into.get_mut(&key), value) {
            (Some(Value::Table(old)), Value::Table(new)) => merge(old, new),
            (Some(Value::Array(old)), Value::Array(new)) if new.iter().all(|v| entry_name(v).is_some()) => {
                for entry in new {
                    match old.iter_mut().find(|o| entry_name(o) == entry_name(&entry)) {
                        Some(same) => *same = entry,
                        None => old.push(entry),
                    }
                }
            }
            (_, value) => {
                into.insert(key, value);
            }
        }
    }
}

fn entry_name(entry: &Value) -> Option<&str> {
    let table = entry.as_table()?;
    table.get("name").or_else(|| table.get("legacy"))?.as_str()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn library() -> Library {
        const VERDICTS: &[&[VerdictSpec]] =
            &[&[VerdictSpec { check: "migrations", name: "whole", about: "", of: |_| vec![] }]];
        Library { dirs: vec![], ..Library::new(Path::new("."), VERDICTS) }
    }

    #[test]
    fn the_built_in_profiles_are_valid() {
        let mut names: Vec<_> = library().all().unwrap().into_iter().map(|p| p.name).collect();
        let mut files: Vec<_> = BUILT_IN.files().filter_map(|f| stem(f.path())).collect();
        names.sort();
        files.sort();
        assert_eq!(names, files, "each is named as its file");
        assert!(["hithonix", "hospitality"].iter().all(|of_the_demo| names.contains(&(*of_the_demo).into())));
    }

    /// Keys of all structs in a value; what a list or table of the profile's own names holds is left out.
    fn keys(value: &serde_json::Value, path: &str, out: &mut Vec<String>) {
        assert!(
            // Not every field of a write is read in every place; a fix inserts or computes, never both.
            path.contains(".write.")
                || path.ends_with(".fix.compute")
                || path.ends_with(".fix.was")
                || !value.is_null() && value != &serde_json::json!([]) && value != &serde_json::json!({}),
            "{path}"
        );
        for (key, value) in value.as_object().into_iter().flatten() {
            if !["sources", "probes", "labels", "set", "show", "revoke", "was", "requeue"]
                .iter()
                .any(|own| path.ends_with(own))
            {
                out.push(key.clone());
            }
            keys(value, &format!("{path}.{key}"), out);
        }
        value.as_array().into_iter().flatten().for_each(|v| keys(v, path, out));
    }

    #[test]
    fn the_example_profile_has_every_key_and_is_valid() {
        let text = crate::profile::EXAMPLE_PROFILE;
        let profile = library().build("profile.example.toml", text).unwrap();
        let mut all = Vec::new();
        keys(&serde_json::to_value(&profile).unwrap(), "", &mut all);
        assert!(all.len() > 60, "{}", all.len());
        for key in all {
            let there = text.lines().map(|l| l.trim().trim_start_matches("# ")).any(|l| {
                l.starts_with(&format!("{key} ="))
                    || l.starts_with('[') && l.trim_matches(['[', ']']).split('.').any(|p| p == key)
            });
            assert!(there, "{key}");
        }
    }

    #[test]
    fn a_profile_extends_another_by_name() {
        let text = "extends = \"hospitality\"\nname = \"mine\"\n[[twins]]\nlegacy = \"revenues\"\npartitioned = \"r2\"\nkey = [\"id\"]\n";
        let p = library().build("mine.toml", text).unwrap();
        assert_eq!((p.name.as_str(), p.twins.len()), ("mine", 3));
        assert_eq!(p.twins.iter().find(|t| t.legacy == "revenues").unwrap().partitioned, "r2");
    }

    /// Until this test a trusted file's `profile = "~/.config/midwatch/../../checkout/p.toml"` was read without being compared.
    #[test]
    fn a_file_is_the_users_only_where_its_path_stays_in_their_directory() {
        let dir = Path::new("/home/op/.config/midwatch");
        for (path, is) in [
            ("profiles/p.toml", true),
            ("./profiles/p.toml", true),
            ("../../checkout/p.toml", false),
            ("../midwatch/p.toml", false),
            ("/home/op/.config/midwatch2/p.toml", false),
        ] {
            assert_eq!(is_below(&dir.join(path), dir), is, "{path}");
        }
    }

    #[test]
    fn an_unknown_profile_names_the_known_ones() {
        let e = library().load("hithonx").unwrap_err();
        assert!(e.hint.unwrap().contains("hithonix, hospitality"));
    }
}
