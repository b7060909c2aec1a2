//! An auditor with the files of `deploy/`: the command and the settings of its unit, behind nginx and Caddy.

#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use std::fs;
use std::path::Path;
use std::process::Command;

use opencoin_e2e::deploy::{self, Authority, Service, caddy_of_auditor, nginx_of_auditor};
use opencoin_e2e::{Log, Process, command, free_port, get_text};
use reqwest::blocking::Client;
use reqwest::tls::Certificate;

/// The folder in `ExecStart=` of the unit, and the listeners in its environment.
const DIR: &str = "/var/lib/opencoin-auditor/auditor";
const LISTEN: &str = "127.0.0.1:8096";
const ADMIN_LISTEN: &str = "127.0.0.1:9468";
/// Longer than any message.
const TOO_LONG: usize = 200_000;

/// Starts a proxy in a folder, on a port, in front of the auditor on another port.
type StartProxy = fn(&Path, u16, u16, &Authority) -> Service;

#[test]
fn the_unit_serves_an_auditor_behind_nginx_and_caddy() {
    let proxies: [(&str, StartProxy); 2] = [("nginx", nginx_of_auditor), ("caddy", caddy_of_auditor)];
    let folder = tempfile::tempdir().unwrap();
    for (name, start) in proxies {
        let folder = folder.path().join(name);
        fs::create_dir(&folder).unwrap();
        let [port, operators] = [free_port(), free_port()];
        let server = serve_as_unit(&folder.join("auditor"), [port, operators], &Log::default());
        let metrics = get_text(&format!("http://127.0.0.1:{operators}/metrics"));
        assert!(metrics.contains("opencoin_auditor_database_up 1\n"), "{metrics}");
        let (authority, front) = (Authority::make(&folder), free_port());
        let proxy = start(&folder, front, port, &authority);
        let certificate = Certificate::from_pem(&fs::read(authority.certificate()).unwrap()).unwrap();
        let client = Client::builder().tls_certs_only([certificate]).build().unwrap();
        let url = |path: &str| format!("https://localhost:{front}{path}");
        let get = |path: &str| client.get(url(path)).send().unwrap().status().as_u16();
        let gossip = |body: String| {
            let sent = client.post(url("/v1/gossip")).body(body).send();
            sent.unwrap().status().as_u16()
        };
        assert_eq!(get("/"), 200, "{name}: {}", proxy.log());
        assert_eq!([get("/status.json"), get("/evidence")], [200, 200], "{name}");
        // Caddy 2.6 says 502 of a body that is too long.
        assert!(matches!(gossip("x".repeat(TOO_LONG)), 413 | 502), "{name}");
        // Programs of the same machine are not muted after an invalid message, but those behind a trusted proxy are.
        let statuses = ["no message", "no message"].map(|body| gossip(body.to_owned()));
        assert_eq!(statuses, [400, 429], "{name}");
        for path in ["/health/ready", "/health/live", "/metrics"] {
            assert_eq!(get(path), 404, "{name} {path}");
        }
        drop(proxy);
        server.stop();
    }
}

/// Runs the command of the unit with its environment, in another folder and on other ports.
fn serve_as_unit(dir: &Path, [port, operators]: [u16; 2], logged: &Log) -> Process {
    let changes = [
        (DIR, dir.display().to_string()),
        (LISTEN, format!("127.0.0.1:{port}")),
        (ADMIN_LISTEN, format!("127.0.0.1:{operators}")),
    ];
    let unit = deploy::changed(deploy::text("systemd/opencoin-auditor.service"), &changes);
    let values = |key: &str| -> Vec<&str> {
        let lines = unit.lines().filter_map(|line| line.strip_prefix(key));
        lines.flat_map(|line| line.split(' ')).collect()
    };
    let mut serve: Command = command();
    for assignment in values("Environment=") {
        let (name, value) = assignment.split_once('=').unwrap();
        serve.env(name, value);
    }
    let words = values("ExecStart=");
    assert_eq!(words[0], "/usr/bin/opencoin");
    // The unit gets the passphrase as a credential.
    serve.env("OPENCOIN_AUDITOR_PASSPHRASE", "of a test");
    Process::start(serve.args(&words[1..]), "serving the auditor ", logged)
}
