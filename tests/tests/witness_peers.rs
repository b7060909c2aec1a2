//! Our witness and other projects' programs: a client that submits, verifiers of what was cosigned, and proxies with the
//! settings of `deploy/`.

use std::fs;
use std::path::Path;

use opencoin_e2e::deploy::{Authority, Service, caddy_of_witness, nginx_of_witness};
use opencoin_e2e::files::text;
use opencoin_e2e::{WITNESS_NAME, Witness, free_port, get_text};
use opencoin_testkit::log_peers::{Feeder, Proof, go_verify, or_skip};
use reqwest::blocking::Client;
use reqwest::tls::Certificate;
use sha2::{Digest as _, Sha256};

use crate::log_peers::{Log, ORIGIN, add_checkpoint, entries, require_cosignature};

/// The client of aics-witness accepts what our witness answers, Go and aics-tlog what it has cosigned.
#[test]
fn other_projects_submit_and_verify() {
    let (witness, log) = (Witness::make(&["--ml-dsa"]), Log::create());
    let _added = witness.run("add", &[&log.vkey()]).success();
    let server = witness.serve();
    let (entries, ed25519) = (entries(), &witness.vkeys[0]);
    if let Some(feeder) = or_skip(Feeder::new(&witness.url(), ed25519)) {
        for size in [1, 3, 256, 600, 600] {
            let entries: Vec<&[u8]> = entries[..size].iter().map(Vec::as_slice).collect();
            let lines = feeder
                .submit(&log.checkpoint(size), Proof::OfEntries(&entries))
                .accepted();
            assert!(
                String::from_utf8(lines)
                    .unwrap()
                    .starts_with(&format!("\u{2014} {WITNESS_NAME} "))
            );
        }
        // Another client knows nothing, and is told the size.
        let fresh = Feeder::new(&witness.url(), ed25519).unwrap();
        let all: Vec<&[u8]> = entries.iter().map(Vec::as_slice).collect();
        let _lines = fresh
            .submit(&log.checkpoint(600), Proof::OfEntries(&all))
            .accepted();
        let ahead = fresh.submit(&log.checkpoint(256), Proof::Fixed(0, &[]));
        ahead.refused("Witness");
    } else {
        let _ = add_checkpoint(&witness.url(), &format!("old 0\n\n{}", log.checkpoint(600)));
    }
    let hash: String = Sha256::digest(ORIGIN)
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    let cosigned = get_text(&format!("{}/{hash}/checkpoint", witness.url()));
    assert!(cosigned.starts_with(&log.checkpoint(600)), "{cosigned}");
    require_cosignature(&cosigned, &log.vkey(), ed25519);
    let note = witness.folder.path().join("cosigned");
    fs::write(&note, &cosigned).unwrap();
    if let Some(verdict) = or_skip(go_verify(&["checkpoint", &log.vkey(), ORIGIN, text(&note)])) {
        assert!(verdict.accepted().starts_with(b"ok "));
    }
    let metrics = get_text(&format!("http://127.0.0.1:{}/metrics", witness.operator_port));
    assert!(
        metrics.contains(&format!("opencoin_witness_size{{origin=\"{ORIGIN}\"}} 600\n")),
        "{metrics}"
    );
    server.stop();
}

/// Starts a proxy in a folder, on a port, in front of the witness on another port.
type StartProxy = fn(&Path, u16, u16, &Authority) -> Service;

#[test]
fn nginx_and_caddy_pass_submissions_on_and_hide_what_is_for_operators() {
    let proxies: [(&str, StartProxy); 2] = [("nginx", nginx_of_witness), ("caddy", caddy_of_witness)];
    for (name, start) in proxies {
        let (witness, log) = (Witness::make(&[]), Log::create());
        let _added = witness.run("add", &[&log.vkey()]).success();
        let server = witness.serve();
        let folder = witness.folder.path().join(name);
        fs::create_dir(&folder).unwrap();
        let (authority, front) = (Authority::make(&folder), free_port());
        let proxy = start(&folder, front, witness.port, &authority);
        let certificate = Certificate::from_pem(&fs::read(authority.certificate()).unwrap()).unwrap();
        let client = Client::builder().tls_certs_only([certificate]).build().unwrap();
        let url = format!("https://localhost:{front}");
        let submit = |body: String| {
            let answer = client
                .post(format!("{url}/add-checkpoint"))
                .body(body)
                .send()
                .unwrap();
            (answer.status().as_u16(), answer.text().unwrap())
        };
        let get = |path: &str| {
            client
                .get(format!("{url}{path}"))
                .send()
                .unwrap()
                .status()
                .as_u16()
        };
        assert_eq!(
            submit(format!("old 0\n\n{}", log.checkpoint(256))).0,
            200,
            "{name}: {}",
            proxy.log()
        );
        assert_eq!(
            submit(format!("old 0\n\n{}", log.checkpoint(256))),
            (409, "256\n".to_owned()),
            "{name}"
        );
        // Caddy 2.6 says 502 of a body that is too long.
        assert!(matches!(submit("x".repeat(200_000)).0, 413 | 502), "{name}");
        assert_eq!(get("/"), 200, "{name}");
        for path in ["/health/ready", "/health/live", "/metrics"] {
            assert_eq!(get(path), 404, "{name} {path}");
        }
        drop(proxy);
        server.stop();
    }
}
