//! The program: arguments to command line or console to exit code.

use std::process::ExitCode;

use midwatch::cli::Parts;
use midwatch::{cli, compose};

fn main() -> ExitCode {
    let parts = Parts {
        connect: |selected| Box::pin(compose::connect(selected)),
        keys: |dir| Box::new(compose::keyring(dir)),
        #[cfg(feature = "tui")]
        console: Some(midwatch::tui::run),
        #[cfg(not(feature = "tui"))]
        console: None,
    };
    ExitCode::from(cli::main(std::env::args_os(), &parts))
}
