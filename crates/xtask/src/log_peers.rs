//! Installs other projects' programs for transparency logs, with which tests check ours: a verifier with the Go
//! project's packages, and witnesses. `opencoin_testkit::log_peers` runs them.
//!
//! The verifier uses packages of the system. The others come from where a version may disappear: from Debian's unstable
//! distribution and from PyPI. If one cannot be installed, the reason is printed and stored for the tests, which then
//! skip what needs it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use anyhow::{Context, Result, ensure};
use opencoin_testkit::log_peers::{self, LITEWITNESS, PYTHON, VERIFIER};
use tokio::process::Command;

use crate::optional::{Retry, attempt};
use crate::steps::Steps;
use crate::{apt, python};

const VERIFIER_SOURCE: &str = "tests/interop/verify.go";

/// The package with litewitness, and the distribution of Debian that has it.
const TORCHWOOD: &str = "torchwood";
const SUITE: &str = "sid";
/// The keys of Debian's archive. The name depends on the version.
const KEYRINGS: [&str; 2] = [
    "/usr/share/keyrings/debian-archive-keyring.gpg",
    "/usr/share/keyrings/debian-archive-keyring.pgp",
];

/// Installs what is missing, and returns the names of what cannot be installed.
pub(crate) async fn ensure(steps: &mut Steps, workspace: &Path, retry: Retry) -> Result<Vec<&'static str>> {
    let folder = log_peers::folder();
    fs::create_dir_all(&folder).with_context(|| folder.display().to_string())?;
    build_verifier(steps, workspace).await?;
    let mut missing = Vec::new();
    for peer in [LITEWITNESS, PYTHON] {
        let failed = peer.failure_file();
        let is_there = attempt(peer.name, &failed, retry, async || {
            if peer == LITEWITNESS {
                install_litewitness(steps).await
            } else {
                let installed = python::ensure(steps, workspace, &python::LOG_PEERS).await;
                installed.context(
                    "PyPI does not have the packages of tests/interop/python.txt, or they do not run",
                )
            }
        });
        if !is_there.await? {
            missing.push(peer.name);
        }
    }
    Ok(missing)
}

/// Builds the verifier, unless it was built from the same source. A copy of the source is beside the program.
async fn build_verifier(steps: &mut Steps, workspace: &Path) -> Result<()> {
    let (source, program) = (workspace.join(VERIFIER_SOURCE), VERIFIER.program());
    let wanted = fs::read_to_string(&source).with_context(|| source.display().to_string())?;
    let built_from = program.with_extension("go");
    let built = fs::read_to_string(&built_from).is_ok_and(|built| built == wanted);
    if built && program.is_file() {
        return Ok(());
    }
    let mut build = Command::new("go");
    build
        .env("GO111MODULE", "off")
        .env("GOPATH", log_peers::GO_PATH)
        .env("GOCACHE", log_peers::folder().join("go-cache"))
        .env("GOFLAGS", "")
        .env("CGO_ENABLED", "0")
        .args(["build", "-o"])
        .args([&program, &source]);
    steps.run("verifier of logs", &mut build).await?;
    fs::write(&built_from, wanted).with_context(|| built_from.display().to_string())
}

/// Unpacks litewitness and witnessctl from Debian's package. The system's own lists and packages stay as they are, and
/// nothing runs as root.
async fn install_litewitness(steps: &mut Steps) -> Result<()> {
    let program = LITEWITNESS.program();
    if program.is_file() {
        return Ok(());
    }
    let mirror = debian_mirror(steps).await?;
    let work = tempfile::tempdir_in(log_peers::folder())?;
    let settings = write_apt_settings(work.path(), &mirror)?;
    let apt_get = |arguments: &[&str]| {
        let mut command = Command::new("apt-get");
        command.arg("-qq").arg("-c").arg(&settings).args(arguments);
        command.current_dir(work.path());
        command
    };
    apt::persist(steps, "package lists of litewitness", || apt_get(&["update"]))
        .await
        .with_context(|| format!("the package lists of Debian {SUITE} cannot be read"))?;
    steps
        .run("litewitness", &mut apt_get(&["download", TORCHWOOD]))
        .await
        .with_context(|| format!("Debian {SUITE} has no package {TORCHWOOD}"))?;
    let package = fs::read_dir(work.path())?
        .filter_map(|file| Some(file.ok()?.path()))
        .find(|file| file.extension().is_some_and(|extension| extension == "deb"))
        .context("apt-get downloaded no package")?;
    let unpacked = work.path().join("unpacked");
    let mut unpack = Command::new("dpkg-deb");
    unpack.arg("--extract").args([&package, &unpacked]);
    steps.run("litewitness", &mut unpack).await?;

    let folder = log_peers::folder().join(log_peers::LITEWITNESS_FOLDER);
    let mut start = Command::new(unpacked.join(program.strip_prefix(&folder)?));
    start.arg("-h").stdout(Stdio::null()).stderr(Stdio::null());
    steps
        .run("litewitness", &mut start)
        .await
        .with_context(|| format!("litewitness of Debian {SUITE} does not run on this system"))?;
    if folder.exists() {
        fs::remove_dir_all(&folder)?;
    }
    fs::rename(&unpacked, &folder).with_context(|| folder.display().to_string())
}

/// The URL of the mirror from which this system gets Debian's packages.
async fn debian_mirror(steps: &mut Steps) -> Result<String> {
    ensure!(
        apt::is_in_path("apt-get"),
        "there is no apt-get to install it with"
    );
    let mut first = true;
    loop {
        let mut list = Command::new("apt-get");
        // The columns: the name of the distribution's owner, of the release, and the URL.
        list.args(["indextargets", "--format", "$(ORIGIN) $(RELEASE) $(REPO_URI)"]);
        list.args(["Created-By: Packages", "Component: main"]);
        let listed = steps.read("mirror of litewitness", &mut list).await?;
        let mirror = listed.lines().find_map(|line| {
            let (release, url) = line.strip_prefix("Debian ")?.split_once(' ')?;
            // Security updates have a mirror of their own.
            (!release.contains("security")).then(|| url.to_owned())
        });
        if let Some(mirror) = mirror {
            return Ok(mirror);
        }
        // A system without package lists shows no mirrors.
        ensure!(first && listed.trim().is_empty(), "this system is not Debian");
        let updated = apt::update(steps).await;
        updated.context("apt-get has no package lists and cannot read them")?;
        first = false;
    }
}

/// Writes settings with which apt knows only the mirror's [`SUITE`] and keeps its state below the folder.
fn write_apt_settings(folder: &Path, mirror: &str) -> Result<PathBuf> {
    let keyring = KEYRINGS.into_iter().find(|keyring| Path::new(keyring).is_file());
    let signed_by = keyring.map_or_else(String::new, |keyring| format!("Signed-By: {keyring}\n"));
    // Without `Targets`, apt would also read translations and icons.
    let source = format!(
        "Types: deb\nURIs: {mirror}\nSuites: {SUITE}\nComponents: main\nTargets: Packages\n{signed_by}"
    );
    for name in ["sources", "lists/partial", "cache/archives/partial"] {
        fs::create_dir_all(folder.join(name))?;
    }
    fs::write(folder.join("sources/debian.sources"), source)?;
    let path = folder.display();
    let settings = format!(
        "Dir::Etc::sourcelist \"/dev/null\";\n\
         Dir::Etc::sourceparts \"{path}/sources\";\n\
         Dir::State::lists \"{path}/lists\";\n\
         Dir::Cache \"{path}/cache\";\n\
         APT::Sandbox::User \"root\";\n\
         APT::Update::Error-Mode \"any\";\n"
    );
    let file = folder.join("apt.conf");
    fs::write(&file, settings)?;
    Ok(file)
}
