//! What is written, in which form; nothing here installs a subscriber for the whole process.

use super::*;
use crate::name::ServerName;
use crate::telemetry::event;
use crate::telemetry::metric::Metrics;
use crate::telemetry::throttle::Throttle;
use std::sync::Arc;
use std::time::Duration;
use tracing::Level;

#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl io::Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn settings(level: &str, format: Format) -> LogSettings {
    LogSettings { level: level.into(), format, target: Target::Stderr, color: false }
}

fn written(settings: &LogSettings, tell: impl FnOnce(&Metrics)) -> String {
    let lines = Lines::default();
    let writer = lines.clone();
    let subscriber = subscriber(settings, filter(&settings.level).unwrap(), move || writer.clone());
    tracing::subscriber::with_default(subscriber, || tell(&Metrics::default()));
    let bytes = lines.0.lock().unwrap().clone();
    String::from_utf8(bytes).unwrap()
}

#[test]
fn a_text_line_has_a_fixed_text_and_fields() {
    let name = ServerName::new("files").unwrap();
    let text = written(&settings("", Format::Text), |metrics| {
        event::server_started(metrics, &name, Duration::from_millis(12), 3);
    });
    assert!(text.contains("INFO server started server=files ms=12 tools=3"), "{text}");
}

#[test]
fn a_json_line_is_one_flat_object() {
    let name = ServerName::new("files").unwrap();
    let text = written(&settings("", Format::Json), |metrics| {
        event::server_closed(metrics, &name, &"exited with code 3");
    });
    let line: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!(line["message"], "server connection closed");
    assert_eq!((&line["server"], &line["error"]), (&"files".into(), &"exited with code 3".into()));
}

#[test]
fn text_from_outside_cannot_forge_a_line() {
    let text = written(&settings("", Format::Text), |metrics| {
        event::client_connected(metrics, "http", "evil\n2026 ERROR forged\u{1b}[31m", "1");
    });
    assert_eq!(text.lines().count(), 1, "{text}");
}

#[test]
fn noise_is_counted_in_full_and_written_in_part() {
    let name = ServerName::new("loud").unwrap();
    let mut throttle = Throttle::new(10);
    let text = written(&settings("debug", Format::Text), |metrics| {
        for _ in 0..500 {
            event::noise(metrics, &name, &mut throttle, "hello\n");
        }
        assert_eq!(metrics.noise_lines.get(), 500);
    });
    assert!((10..=20).contains(&text.lines().count()), "{text}");
}

#[test]
fn a_bare_level_is_for_this_program_only() {
    let targets = filter("debug").unwrap();
    assert!(targets.would_enable("mcp_manifold::front", &Level::DEBUG));
    assert!(!targets.would_enable("hyper", &Level::INFO));
    assert!(targets.would_enable("hyper", &Level::WARN));
    assert!(!targets.would_enable("rmcp::service", &Level::WARN));
}

#[test]
fn directives_name_crates_and_the_rest() {
    let targets = filter("mcp-manifold=warn, hyper=debug,all=off").unwrap();
    assert!(!targets.would_enable("mcp_manifold", &Level::INFO));
    assert!(targets.would_enable("hyper::proto", &Level::DEBUG));
    assert!(!targets.would_enable("notify", &Level::ERROR));
    assert!(!filter("off").unwrap().would_enable("rmcp", &Level::ERROR));
}

#[test]
fn a_wrong_level_is_named() {
    let error = filter("info,rmcp=loud").unwrap_err().to_string();
    assert!(error.contains("`rmcp=loud`") && error.contains("`loud` is no level"), "{error}");
}

#[cfg(unix)]
#[test]
fn a_log_file_is_for_its_owner_only() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    let file = open(&folder.path().join("a.log")).unwrap();
    assert_eq!(file.metadata().unwrap().permissions().mode() & 0o777, 0o600);
    let missing = open(&folder.path().join("no/a.log")).unwrap_err().to_string();
    assert!(missing.contains("no/a.log"), "{missing}");
}
