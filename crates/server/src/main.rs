//! The command `deskbell`.

use std::process::ExitCode;

fn main() -> ExitCode {
    deskbell_server::cli::main()
}
