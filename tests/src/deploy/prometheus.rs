//! Prometheus with the settings of `deploy/`, which scrapes the servers of a test.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use reqwest::blocking::Client;
use serde_json::Value;

use super::{Service, changed, path, text};
use crate::wait_until;

/// A running Prometheus.
pub struct Prometheus {
    url: String,
    http: Client,
    service: Service,
}

impl Prometheus {
    /// Starts Prometheus in this folder. It scrapes the servers on these ports every second.
    #[must_use]
    pub fn start(folder: &Path, port: u16, servers: [u16; 2]) -> Self {
        let settings = changed(
            text("prometheus/prometheus.yml"),
            &[
                ("127.0.0.1:9464", format!("127.0.0.1:{}", servers[0])),
                ("127.0.0.1:9465", format!("127.0.0.1:{}", servers[1])),
                ("interval: 15s", "interval: 1s".to_owned()),
            ],
        );
        fs::write(folder.join("prometheus.yml"), settings).unwrap();
        fs::copy(
            path("prometheus/opencoin-alerts.yml"),
            folder.join("opencoin-alerts.yml"),
        )
        .unwrap();
        let option = |name: &str, value: PathBuf| format!("--{name}={}", value.display());
        let mut command = Command::new("prometheus");
        command.arg(option("config.file", folder.join("prometheus.yml")));
        command.arg(option("storage.tsdb.path", folder.join("data")));
        command.arg(format!("--web.listen-address=127.0.0.1:{port}"));
        let service = Service::start(&mut command, port, &folder.join("log"));
        let prometheus = Self {
            url: format!("http://127.0.0.1:{port}"),
            http: Client::new(),
            service,
        };
        wait_until("Prometheus is ready", || prometheus.is_ready());
        prometheus
    }

    fn is_ready(&self) -> bool {
        self.http
            .get(format!("{}/-/ready", self.url))
            .send()
            .is_ok_and(|response| response.status().is_success())
    }

    /// The answer of a path of its API.
    #[must_use]
    pub fn get(&self, path: &str, parameters: &[(&str, &str)]) -> Value {
        let mut url = reqwest::Url::parse(&format!("{}{path}", self.url)).unwrap();
        url.query_pairs_mut().extend_pairs(parameters);
        let text = self.http.get(url).send().unwrap().text().unwrap();
        serde_json::from_str(&text)
            .unwrap_or_else(|error| panic!("{path}: {error}: {text}\n{}", self.service.log()))
    }

    /// The result of a query.
    #[must_use]
    pub fn query(&self, query: &str) -> Vec<Value> {
        let answer = self.get("/api/v1/query", &[("query", query)]);
        assert_eq!(answer["status"], "success", "{query}: {answer}");
        answer["data"]["result"]
            .as_array()
            .unwrap_or_else(|| panic!("{query}: {answer}"))
            .clone()
    }
}
