//! The limit of open files of a server, whose connections count as such.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Open files in addition to the connections of clients: the books, connections to a database, the log.
const OPEN_FILES_BESIDE_CONNECTIONS: u64 = 128;

/// Raises the limit of open files to the maximum, and warns if that is too low.
pub(crate) fn raise(connections_max: u32) {
    let limit = getrlimit(Resource::Nofile);
    if let Err(error) = setrlimit(
        Resource::Nofile,
        Rlimit {
            current: limit.maximum,
            maximum: limit.maximum,
        },
    ) {
        tracing::warn!(%error, "the limit of open files cannot be raised");
    }
    let wanted = u64::from(connections_max) + OPEN_FILES_BESIDE_CONNECTIONS;
    if let Some(open_files) = getrlimit(Resource::Nofile)
        .current
        .filter(|open_files| *open_files < wanted)
    {
        tracing::warn!(
            open_files,
            wanted,
            "too few open files for all connections; raise LimitNOFILE or `ulimit -n`"
        );
    }
}
