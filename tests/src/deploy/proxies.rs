//! nginx and Caddy with the settings of `deploy/`, on the ports of a test.

use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

use super::{Authority, Service, changed, path, run, text};

/// The servers in `nginx/opencoin.conf`, and those in `scale-out/upstream.conf`.
const SERVERS: [&str; 2] = ["127.0.0.1:8080", "127.0.0.1:8081"];
const MACHINES: [&str; 3] = ["10.0.0.11:8080", "10.0.0.12:8080", "10.0.0.13:8080"];
/// The witness in `nginx/witness.conf`.
const WITNESS: &str = "127.0.0.1:8090";
/// The auditor in `nginx/auditor.conf`.
const AUDITOR: &str = "127.0.0.1:8096";
/// The relay in `nginx/relay.conf`.
const RELAY: &str = "127.0.0.1:8095";
/// The command in `scale-out/README.md` that removes the two servers from `nginx/opencoin.conf`.
const WITHOUT_UPSTREAM: &str = "sed '/^upstream /,/^}/d' nginx/opencoin.conf";

/// Starts nginx in front of these two servers, as `https://localhost:PORT`, after `nginx -t` has accepted its settings.
#[must_use]
pub fn nginx(folder: &Path, port: u16, servers: &[u16], authority: &Authority) -> Service {
    let site = text("nginx/opencoin.conf");
    start_nginx(folder, port, with_ports(site, &SERVERS, servers), authority)
}

/// As [`nginx`], in front of three servers, with the files that `scale-out/README.md` names.
#[must_use]
pub fn nginx_of_three(folder: &Path, port: u16, servers: &[u16], authority: &Authority) -> Service {
    assert!(text("scale-out/README.md").contains(WITHOUT_UPSTREAM));
    let site = run(Command::new("sh")
        .args(["-c", WITHOUT_UPSTREAM])
        .current_dir(path("")));
    let upstream = with_ports(text("scale-out/upstream.conf"), &MACHINES, servers);
    start_nginx(folder, port, format!("{site}{upstream}"), authority)
}

fn with_ports(text: String, addresses: &[&str], ports: &[u16]) -> String {
    assert_eq!(addresses.len(), ports.len());
    let changes: Vec<_> = (addresses.iter().zip(ports))
        .map(|(address, port)| (*address, format!("127.0.0.1:{port}")))
        .collect();
    changed(text, &changes)
}

/// As [`nginx`], in front of a witness.
#[must_use]
pub fn nginx_of_witness(folder: &Path, port: u16, witness: u16, authority: &Authority) -> Service {
    let site = with_ports(text("nginx/witness.conf"), &[WITNESS], &[witness]);
    let names = ["witness.example", "opencoin-witness", "opencoin_witness_error"];
    let site = on_port(folder, port, site, names, authority);
    run_nginx(folder, port, site)
}

/// As [`nginx`], in front of an auditor.
#[must_use]
pub fn nginx_of_auditor(folder: &Path, port: u16, auditor: u16, authority: &Authority) -> Service {
    let site = with_ports(text("nginx/auditor.conf"), &[AUDITOR], &[auditor]);
    let names = ["auditor.example", "opencoin-auditor", "opencoin_auditor_error"];
    let site = on_port(folder, port, site, names, authority);
    run_nginx(folder, port, site)
}

/// As [`nginx`], in front of a relay for live transfers.
#[must_use]
pub fn nginx_of_relay(folder: &Path, port: u16, relay: u16, authority: &Authority) -> Service {
    let site = with_ports(text("nginx/relay.conf"), &[RELAY], &[relay]);
    let names = ["relay.example", "opencoin-relay", "opencoin_relay_error"];
    let site = on_port(folder, port, site, names, authority);
    run_nginx(folder, port, site)
}

fn start_nginx(folder: &Path, port: u16, site: String, authority: &Authority) -> Service {
    let plain = (
        "    listen 80;\n    listen [::]:80;\n",
        format!("    listen unix:{};\n", folder.join("plain").display()),
    );
    let names = ["opencoin.example", "opencoin", "opencoin_error"];
    let site = on_port(folder, port, changed(site, &[plain]), names, authority);
    run_nginx(folder, port, site)
}

/// A site on a port of loopback. `names` are those of the host, of the folder of its certificate and of its log.
fn on_port(folder: &Path, port: u16, site: String, names: [&str; 3], authority: &Authority) -> String {
    let [host, certificates, log] = names;
    let [certificate, key] =
        ["fullchain", "privkey"].map(|name| format!("/etc/ssl/{certificates}/{name}.pem"));
    let changes = [
        ("    listen [::]:443 ssl http2;\n", String::new()),
        ("listen 443 ssl", format!("listen 127.0.0.1:{port} ssl")),
        (host, "localhost".to_owned()),
        (&certificate, authority.server_certificate().display().to_string()),
        (&key, authority.server_key().display().to_string()),
        (
            &format!("/var/log/nginx/{log}.log"),
            folder.join("error.log").display().to_string(),
        ),
    ];
    changed(site, &changes)
}

fn run_nginx(folder: &Path, port: u16, site: String) -> Service {
    fs::write(folder.join("site.conf"), site).unwrap();
    let at = |name: &str| folder.join(name).display().to_string();
    let temporary: String = (["client_body", "proxy", "fastcgi", "uwsgi", "scgi"].iter())
        .map(|kind| format!("    {kind}_temp_path {};\n", at(&format!("temporary-{kind}"))))
        .collect();
    // Replaces /etc/nginx/nginx.conf. The workers run as our user, because only that user may enter our folder.
    let user = if rustix::process::geteuid().is_root() {
        "user root;\n"
    } else {
        ""
    };
    let settings = format!(
        "{user}daemon off;\npid {};\nerror_log stderr warn;\nevents {{}}\nhttp {{\n{temporary}    include {};\n}}\n",
        at("pid"),
        at("site.conf")
    );
    fs::write(folder.join("nginx.conf"), settings).unwrap();
    // Debian installs nginx in a folder that is only in root's PATH.
    let nginx = || {
        let program = if Path::new("/usr/sbin/nginx").exists() {
            "/usr/sbin/nginx"
        } else {
            "nginx"
        };
        let mut command = Command::new(program);
        command
            .args(["-e", "stderr", "-p"])
            .arg(folder)
            .arg("-c")
            .arg(folder.join("nginx.conf"));
        command
    };
    let said = run(nginx().arg("-t"));
    assert!(!said.contains("[warn]"), "{said}");
    Service::start(&mut nginx(), port, &folder.join("log"))
}

/// Starts Caddy in front of these servers, as `https://localhost:PORT`, with its settings in JSON, which turn off the
/// resumption of TLS sessions, after `caddy validate` has accepted them.
#[must_use]
pub fn caddy(folder: &Path, port: u16, servers: &[u16], authority: &Authority) -> Service {
    let settings = changed(
        text("caddy/Caddyfile"),
        &[("admin localhost:2019", "admin off".to_owned())],
    );
    let file = folder.join("Caddyfile");
    fs::write(&file, settings).unwrap();
    let (certificate, key) = (authority.server_certificate(), authority.server_key());
    let caddy = |command: &str, file: &Path| {
        let mut caddy = Command::new("caddy");
        caddy.args([command, "--config"]).arg(file);
        caddy.env("OPENCOIN_NAME", format!("https://localhost:{port}"));
        caddy.env(
            "OPENCOIN_SERVERS",
            (servers.iter())
                .map(|port| format!("127.0.0.1:{port}"))
                .collect::<Vec<_>>()
                .join(" "),
        );
        caddy.env(
            "OPENCOIN_TLS",
            format!("tls {} {}", certificate.display(), key.display()),
        );
        // Caddy stores files in these folders.
        caddy
            .env("HOME", folder)
            .env("XDG_DATA_HOME", folder)
            .env("XDG_CONFIG_HOME", folder);
        caddy
    };
    let adapted = caddy("adapt", &file).output().unwrap();
    let mut json: Value = serde_json::from_slice(&adapted.stdout).unwrap();
    json["apps"]["tls"]["session_tickets"]["disabled"] = Value::from(true);
    let file = folder.join("caddy.json");
    fs::write(&file, json.to_string()).unwrap();
    run(&mut caddy("validate", &file));
    Service::start(&mut caddy("run", &file), port, &folder.join("log"))
}

/// Starts Caddy in front of a witness, as `https://localhost:PORT`.
#[must_use]
pub fn caddy_of_witness(folder: &Path, port: u16, witness: u16, authority: &Authority) -> Service {
    caddy_of_one(
        folder,
        port,
        ("witness.Caddyfile", "OPENCOIN_WITNESS"),
        witness,
        authority,
    )
}

/// Starts Caddy in front of an auditor, as `https://localhost:PORT`.
#[must_use]
pub fn caddy_of_auditor(folder: &Path, port: u16, auditor: u16, authority: &Authority) -> Service {
    caddy_of_one(
        folder,
        port,
        ("auditor.Caddyfile", "OPENCOIN_AUDITOR"),
        auditor,
        authority,
    )
}

/// Starts Caddy in front of a relay, as `https://localhost:PORT`.
#[must_use]
pub fn caddy_of_relay(folder: &Path, port: u16, relay: u16, authority: &Authority) -> Service {
    caddy_of_one(
        folder,
        port,
        ("relay.Caddyfile", "OPENCOIN_RELAY"),
        relay,
        authority,
    )
}

/// Starts Caddy with a file of `deploy/caddy` whose variables begin with this prefix.
fn caddy_of_one(
    folder: &Path,
    port: u16,
    (site, prefix): (&str, &str),
    server: u16,
    authority: &Authority,
) -> Service {
    let site = text(&format!("caddy/{site}"));
    let file = folder.join("Caddyfile");
    // Caddy's own listener for its operator would be on a fixed port.
    fs::write(
        &file,
        format!("{{\n\tadmin off\n\tauto_https disable_redirects\n}}\n{site}"),
    )
    .unwrap();
    let (certificate, key) = (authority.server_certificate(), authority.server_key());
    let caddy = |command: &str| {
        let mut caddy = Command::new("caddy");
        caddy.args([command, "--config"]).arg(&file);
        caddy
            .env(format!("{prefix}_NAME"), format!("https://localhost:{port}"))
            .env(format!("{prefix}_SERVER"), format!("127.0.0.1:{server}"))
            .env(
                format!("{prefix}_TLS"),
                format!("tls {} {}", certificate.display(), key.display()),
            );
        // Caddy stores files in these folders.
        caddy
            .env("HOME", folder)
            .env("XDG_DATA_HOME", folder)
            .env("XDG_CONFIG_HOME", folder);
        caddy
    };
    run(&mut caddy("validate"));
    Service::start(&mut caddy("run"), port, &folder.join("log"))
}
