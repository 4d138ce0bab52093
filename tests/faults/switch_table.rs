//! The table of what was done to switchovers.

use std::fmt::Write as _;

use crate::defining;
use crate::matrix::{Reasons, Verdict, cell, counted, line, notes};
use crate::switch::{Case, FAULTS, Fault, OPS, PLACES};

const INTRO: &str = "\
# What was done to a switchover, and what became of it

Written by `make faults`; do not edit. Every cell is a switchover of the demo's three twins, or its way back, by the real
program on a real PostgreSQL server, hurt at that stage while an application writes. Afterwards all names are as before or
all are changed; a write on the table that applications use arrives on the other side and one on the other side does not
come back; exit code, journal and `midwatch runs` say what is so; no write of the application has failed or is lost, on
either side; no session is left. Then it is *resumed* to its end (every row equal on both sides), or what was prepared is
*undone* (triggers and functions as before). The other operations, and the counts of both pages:
[fault-matrix.md](fault-matrix.md).

A cell says: ✓ or ✗, the exit code of the hurt run (*killed*: it could not say anything), whether the tables had changed
places, and what came then. Exit codes: 0 all done · 3 refused · 6 nothing changed · 7 part applied · 8 ambiguous, settled
by `resume`. With two operators the code is the first one's; the second left with 3. *not run* has its reason above the tables.

*Lock kept*: by a prepared transaction, on a function, through all attempts. *Lock given late*: after the second. *Long transaction*:
waited for without standing in line. *A row differs*: written on one side only, after the comparison; for *locked* it is
committed while midwatch waits for the locks. *Marker passed by*: disabled, a row written, enabled again.
";

pub(crate) fn table(verdicts: &[(Case, Verdict)], defined: &[(defining::Case, Verdict)]) -> String {
    let (mut out, mut reasons) = (String::new(), Reasons::new());
    for op in OPS {
        let _ = writeln!(out, "\n## {}\n", op.title());
        let _ = writeln!(out, "| stage | {} |", FAULTS.map(Fault::title).join(" | "));
        let _ = writeln!(out, "|---{}|", "|---".repeat(FAULTS.len()));
        for place in PLACES {
            let here = verdicts.iter().filter(|(c, _)| c.op == op && c.place == place);
            let cells: Vec<String> = here.map(|(_, v)| cell(v, &mut reasons)).collect();
            if !cells.is_empty() {
                line(&mut out, place.title(), &cells);
            }
        }
    }
    for (op, _) in defining::OPS {
        let _ = writeln!(out, "\n## {op}\n");
        let _ = writeln!(out, "| stage | {} |", defining::FAULTS.map(defining::Fault::title).join(" | "));
        let _ = writeln!(out, "|---{}|", "|---".repeat(defining::FAULTS.len()));
        for place in defining::PLACES {
            let here = defined.iter().filter(|(c, _)| c.op == op && c.place == place);
            let cells: Vec<String> = here.map(|(_, v)| cell(v, &mut reasons)).collect();
            if !cells.is_empty() {
                line(&mut out, place.title(), &cells);
            }
        }
    }
    let counts = format!("Switches: {} Definitions of triggers: {}", counted(verdicts), counted(defined));
    format!("{INTRO}\n{counts}\n{}{out}", notes(&reasons))
}
