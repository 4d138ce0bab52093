//! The jobs of `.github/workflows/ci.yml`, which nobody runs here, have what their targets of the Makefile call.

use std::fs;

use crate::sources::root;

/// Parts of the compiler that its smallest installation lacks, by the command that runs them.
const PARTS: [(&str, &str); 2] = [("cargo clippy", "clippy"), ("cargo fmt", "rustfmt")];

/// The line of a target and its recipe, those of the targets before it too.
fn recipe(makefile: &str, target: &str) -> String {
    let mut lines = makefile.lines().skip_while(|l| !l.starts_with(&format!("{target}:")));
    let first = lines.next().unwrap_or_else(|| panic!("the Makefile has no target {target}"));
    let (_, before) = first.split_once(':').unwrap();
    let own = lines.take_while(|l| l.starts_with('\t')).map(str::to_owned);
    before
        .split_whitespace()
        .map(|earlier| recipe(makefile, earlier))
        .chain(own)
        .collect::<Vec<_>>()
        .join("\n")
}

/// What a job makes and does not have.
fn lacking(job: &str, makefile: &str) -> Vec<String> {
    let asked: Vec<&str> = job
        .lines()
        .filter_map(|l| l.split_once("./.ci/rust --component "))
        .flat_map(|(_, parts)| parts.trim().split(','))
        .collect();
    let made = job.lines().filter_map(|l| l.trim().strip_prefix("- run: make "));
    made.flat_map(|targets| targets.split_whitespace())
        .flat_map(|target| {
            let recipe = recipe(makefile, target);
            let lacks = |(command, part): &(&str, &str)| recipe.contains(command) && !asked.contains(part);
            PARTS
                .into_iter()
                .filter(lacks)
                .map(|(_, part)| format!("make {target}: {part}"))
                .collect::<Vec<_>>()
        })
        .collect()
}

#[test]
fn each_job_has_the_parts_of_the_compiler_that_it_calls() {
    let read = |path: &str| fs::read_to_string(root().join(path)).unwrap();
    let (makefile, workflow) = (read("Makefile"), read(".github/workflows/ci.yml"));
    let (_, jobs) = workflow.split_once("\njobs:\n").unwrap();
    let starts = jobs.lines().filter(|l| l.starts_with("  ") && !l.starts_with("   ") && l.ends_with(':'));
    let jobs: Vec<&str> = jobs.split("\n\n").collect();
    assert_eq!(starts.count(), jobs.len(), "a job is a paragraph");
    let lacks: Vec<String> = jobs.iter().flat_map(|job| lacking(job, &makefile)).collect();
    assert!(lacks.is_empty(), "{lacks:#?}");
    // Not for want of jobs that call them.
    let bare: Vec<String> =
        jobs.iter().flat_map(|job| lacking(&job.replace(" --component ", " "), &makefile)).collect();
    assert_eq!(bare, ["make headless: clippy", "make style: clippy", "make style: rustfmt"]);
}
