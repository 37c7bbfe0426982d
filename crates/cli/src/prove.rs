//! `unmask prove-model`: a model's first run, in a process that limits itself. One line with the reason where it is refused.

use std::io::Write as _;
use std::process::ExitCode;

use unmask_server::Proof;

use crate::args::ProveModel;

pub(crate) fn run(args: &ProveModel) -> ExitCode {
    let ProveModel { bundle, digest, library, operators, domains, batch, memory_bytes, seconds } =
        args.clone();
    let proof = Proof { bundle, digest, library, operators, domains, batch, memory_bytes, seconds };
    match proof.run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(reason) => {
            // Where nobody listens the exit code is all there is.
            let _ = writeln!(std::io::stdout(), "{reason}");
            ExitCode::FAILURE
        }
    }
}
