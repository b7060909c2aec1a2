//! The issuer machines and signer machines of `deploy/scale-out`, as folders of a test. Their settings are the files in
//! `deploy/scale-out`, with the addresses of the test.

use std::fs;
use std::path::{Path, PathBuf};

use opencoin_testkit::postgres::TestDatabase;

use crate::deploy::{changed, text};
use crate::files::{copy_folder, make_certificates, use_certificates};
use crate::{Currency, Log, PASSPHRASE, Process, SERVER_LINE, SIGNER_LINE, command, free_port};

/// The number of issuers. Each has a signer of its own.
pub const MACHINES: usize = 3;
/// The number of the signer machine on which keys are made and destroyed.
pub const KEY_MACHINE: usize = 0;
/// The grace of the file would make every stop take five seconds.
const GRACE: &str = "2s";

/// The machines of one currency, with the books in one database.
pub struct Machines<'database> {
    folder: PathBuf,
    database: &'database TestDatabase,
    /// The ports of the issuers on loopback.
    pub ports: [u16; MACHINES],
    operator_ports: [u16; MACHINES],
    log: Log,
}

impl<'database> Machines<'database> {
    /// Makes the folders of all machines from the currency's folder.
    #[must_use]
    pub fn make(currency: &Currency, database: &'database TestDatabase) -> Self {
        let machines = Self {
            folder: currency.scratch("machines"),
            database,
            ports: [(); MACHINES].map(|()| free_port()),
            operator_ports: [(); MACHINES].map(|()| free_port()),
            log: Log::default(),
        };
        fs::create_dir(&machines.folder).unwrap();
        database.execute(&format!(
            "CREATE ROLE {0} LOGIN; GRANT SELECT ON ALL TABLES IN SCHEMA public TO {0}",
            machines.reader()
        ));
        for number in 0..MACHINES {
            machines.make_pair(number, &currency.dir());
        }
        machines
    }

    /// An issuer and its signer, with certificates of an authority of their own.
    fn make_pair(&self, number: usize, currency: &Path) {
        let (certificates, signer) = (self.folder.join(format!("pair-{number}")), free_port());
        make_certificates(&certificates);
        let addresses = [
            (
                "postgres://opencoin@db.example/opencoin?sslrootcert=/etc/opencoin/database-ca.pem",
                self.database.url(),
            ),
            ("10.0.0.21:9443", format!("127.0.0.1:{signer}")),
            ("10.0.0.21", "127.0.0.1".to_owned()),
        ];
        let machine = self.signer(number);
        copy_folder(currency, &machine);
        if number != KEY_MACHINE {
            fs::remove_dir_all(machine.join("master")).unwrap();
        }
        use_certificates(&certificates, &machine, "signer");
        let settings = changed(text("scale-out/signer-machine.toml"), &addresses);
        fs::write(machine.join("issuer.toml"), settings).unwrap();

        let machine = self.issuer(number);
        copy_folder(currency, &machine);
        for folder in ["keys", "master"] {
            fs::remove_dir_all(machine.join(folder)).unwrap();
        }
        use_certificates(&certificates, &machine, "server");
        let settings = changed(text("scale-out/issuer-machine.toml"), &addresses);
        let own = [
            ("10.0.0.11:8080", format!("127.0.0.1:{}", self.ports[number])),
            (
                "127.0.0.1:9464",
                format!("127.0.0.1:{}", self.operator_ports[number]),
            ),
            ("shutdown_grace = \"5s\"", format!("shutdown_grace = \"{GRACE}\"")),
        ];
        fs::write(machine.join("issuer.toml"), changed(settings, &own)).unwrap();
    }

    /// The currency's folder on a signer machine.
    #[must_use]
    pub fn signer(&self, number: usize) -> PathBuf {
        self.folder.join(format!("signer-{number}"))
    }

    /// The currency's folder on an issuer machine.
    #[must_use]
    pub fn issuer(&self, number: usize) -> PathBuf {
        self.folder.join(format!("issuer-{number}"))
    }

    /// The URL of an issuer's listener for operators.
    #[must_use]
    pub fn operators(&self, number: usize) -> String {
        format!("http://127.0.0.1:{}", self.operator_ports[number])
    }

    /// What the processes of all machines have logged so far.
    #[must_use]
    pub fn log(&self) -> String {
        self.log.text()
    }

    /// Starts a signer, with a role that may only read the books.
    #[must_use]
    pub fn start_signer(&self, number: usize, options: &[&str]) -> Process {
        let mut signer = self.signer_command(number, options);
        Process::start(&mut signer, SIGNER_LINE, &self.log)
    }

    /// The command that starts a signer.
    #[must_use]
    pub fn signer_command(&self, number: usize, options: &[&str]) -> std::process::Command {
        let url = self.database.url();
        let (scheme, rest) = url.split_once("://").unwrap();
        let place = rest.split_once('@').map_or(rest, |(_, place)| place);
        let mut signer = command();
        signer.arg("signer").arg("--dir").arg(self.signer(number));
        signer.args(options).env("OPENCOIN_LOG", "warn");
        signer.env(
            "OPENCOIN_SIGNER_DATABASE",
            format!("{scheme}://{}@{place}", self.reader()),
        );
        signer
    }

    /// Starts an issuer, without the passphrase of mint keys.
    #[must_use]
    pub fn start_issuer(&self, number: usize) -> Process {
        let mut issuer = command();
        issuer.args(["issuer", "serve", "--dir"]).arg(self.issuer(number));
        issuer
            .env("OPENCOIN_LOG", "warn")
            .env_remove("OPENCOIN_PASSPHRASE")
            .env("OPENCOIN_LOG_PASSPHRASE", PASSPHRASE);
        Process::start(&mut issuer, SERVER_LINE, &self.log)
    }

    fn reader(&self) -> String {
        format!("signs_{}", self.database.name())
    }
}

impl Drop for Machines<'_> {
    fn drop(&mut self) {
        let role = self.reader();
        // Best effort: the server is temporary.
        let _ = (self.database).try_execute(&format!("DROP OWNED BY {role}; DROP ROLE {role}"));
    }
}
