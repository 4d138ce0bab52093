//! What a comparison can be asked: its `--set` keys, and which of them the console has keys for.

use crate::engine::model::error::{Error, Result};
use crate::engine::model::param::{DefaultValue, ParamSpec, Params, Takes};

/// Skip what costs a scan of a table.
pub const QUICK: ParamSpec =
    flag("quick", "counts and sums only: leave out what reads whole tables row by row");
/// Read again what was found equal before and not written since.
pub const FULL: ParamSpec = flag("full", "read again what was found equal before and not written since");
/// Resume what was not finished.
pub const RESUME: ParamSpec =
    flag("resume", "go on with a comparison that was not finished; its parts name their own snapshots");
/// Plant what is looked for in a copy and see that it is found.
pub const SELF_TEST: ParamSpec =
    flag("self_test", "plant differences in a private copy; the verdict is untrusted unless all are found");

/// The keys of the check.
pub(crate) const PARAMS: &[ParamSpec] = &[QUICK, FULL, RESUME, SELF_TEST];

const fn flag(name: &'static str, about: &'static str) -> ParamSpec {
    ParamSpec { name, about, takes: Takes::Flag, default: DefaultValue::Word("no") }
}

/// How rows are compared.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct ComparisonOptions {
    pub(crate) quick: bool,
    pub(crate) full: bool,
    pub(crate) resume: bool,
}

impl ComparisonOptions {
    /// As the keys say.
    pub(crate) fn from_params(params: &Params) -> Result<Self> {
        let (quick, resume) = (params.flag_of(&QUICK)?, params.flag_of(&RESUME)?);
        if quick && resume {
            return Err(Error::usage(
                "quick=yes and resume=yes: a comparison of counts and sums is never resumed",
            )
            .hint("leave one of them out"));
        }
        Ok(Self { quick, full: params.flag_of(&FULL)?, resume })
    }
}

/// A comparison that a person asks for, and no schedule does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AskedComparison {
    /// Differences are planted in a copy and looked for.
    SelfTest,
    /// One that was interrupted is resumed.
    Resumed,
    /// What is sealed is read as well.
    Full,
}

impl AskedComparison {
    const ALL: [Self; 3] = [Self::SelfTest, Self::Resumed, Self::Full];

    /// The key that asks for it.
    pub fn param(self) -> &'static ParamSpec {
        match self {
            Self::SelfTest => &SELF_TEST,
            Self::Resumed => &RESUME,
            Self::Full => &FULL,
        }
    }

    /// What these keys ask for; `None`: what the schedule does.
    pub fn from_params(params: &Params) -> Option<Self> {
        Self::ALL.into_iter().find(|asked| params.flag_of(asked.param()).is_ok_and(|yes| yes))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_read_and_what_excludes_each_other_is_refused() {
        let of = |pairs: &[(&str, &str)]| {
            let pairs = pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned()));
            ComparisonOptions::from_params(&Params(pairs.collect())).map(|o| (o.quick, o.full, o.resume))
        };
        assert_eq!(of(&[]).unwrap(), (false, false, false));
        assert_eq!(of(&[("full", "yes"), ("resume", "yes")]).unwrap(), (false, true, true));
        assert_eq!(of(&[("quick", "yes"), ("resume", "no"), ("else", "1")]).unwrap(), (true, false, false));
        assert!(
            of(&[("quick", "yes"), ("resume", "yes")])
                .unwrap_err()
                .message
                .starts_with("quick=yes and resume")
        );
        assert_eq!(of(&[("full", "1")]).unwrap_err().message, "full=1: yes or no");
    }

    #[test]
    fn what_is_asked_for_is_told_by_its_key() {
        for asked in AskedComparison::ALL {
            assert_eq!(AskedComparison::from_params(&Params::yes(asked.param())), Some(asked));
        }
        assert_eq!(AskedComparison::from_params(&Params::yes(&QUICK)), None);
        assert_eq!(AskedComparison::from_params(&Params::default()), None);
    }
}
