//! What planning needs of a target: who it is, how it is read, what can be done on it, and where rows and copies go.

use chrono::{DateTime, Utc};

use crate::engine::check::kind::{Check, CheckCx, SILENT};
use crate::engine::check::verdict::VerdictSpec;
use crate::engine::model::policy::Policy;
use crate::engine::model::profile::Profile;
use crate::engine::model::target::{Environment, ServerInfo};
use crate::engine::plan::operation::{Operation, PlanCx};
use crate::engine::port::backups::Backups;
use crate::engine::port::copies::Copies;
use crate::engine::port::files::Files;
use crate::engine::port::journal_copy::JournalCopy;
use crate::engine::port::name_changes::NameChanges;
use crate::engine::port::reader::Reader;
use crate::engine::port::signer::Signer;
use crate::engine::port::spools::Spools;
use crate::engine::port::state::State;

/// A target as planning sees it.
pub(in crate::engine) struct PlanSetup<'e> {
    pub(in crate::engine) name: &'e str,
    pub(in crate::engine) environment: Environment,
    pub(in crate::engine) facts: &'e dyn Reader,
    pub(in crate::engine) files: &'e dyn Files,
    pub(in crate::engine) profile: &'e Profile,
    pub(in crate::engine) policy: &'e Policy,
    /// Changes of production go over what others between may alter.
    pub(in crate::engine) insecure: bool,
    pub(in crate::engine) checks: &'static [&'static dyn Check],
    pub(in crate::engine) verdicts: &'static [&'static [VerdictSpec]],
    pub(in crate::engine) operations: &'static [&'static dyn Operation],
    pub(in crate::engine) names: &'e dyn NameChanges,
    pub(in crate::engine) state: &'e dyn State,
    pub(in crate::engine) copies: &'e dyn Copies,
    pub(in crate::engine) backups: &'e dyn Backups,
    pub(in crate::engine) spools: &'e dyn Spools,
    pub(in crate::engine) signer: &'e dyn Signer,
    pub(in crate::engine) journal_copy: &'e dyn JournalCopy,
    pub(in crate::engine) clock: fn() -> DateTime<Utc>,
}

impl<'e> PlanSetup<'e> {
    /// What operations get to see.
    pub(in crate::engine) fn cx(
        &self,
        server: &'e ServerInfo,
        doing: &'e (dyn Fn(String) + Send + Sync),
    ) -> PlanCx<'e> {
        PlanCx {
            cx: CheckCx {
                facts: self.facts,
                files: self.files,
                profile: self.profile,
                server,
                environment: self.environment,
                insecure: self.insecure,
                copies: self.copies,
                state: self.state,
                tell: SILENT,
                names: self.names,
                checks: self.checks,
            },
            checks: self.checks,
            verdicts: self.verdicts,
            questions: &[],
            operations: self.operations,
            target: self.name,
            policy: self.policy,
            backups: self.backups,
            journal_copy: self.journal_copy,
            signer: self.signer,
            doing,
        }
    }
}
