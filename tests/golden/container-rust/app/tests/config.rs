use std::time::Duration;

use service::config::Config;

fn config_of(env: &[(&str, &str)]) -> Result<Config, String> {
    Config::from_env(|name| env.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned()))
}

fn config(host: &str, port: u16, greeting: &str, shutdown_grace: Duration) -> Config {
    Config { host: host.to_owned(), port, greeting: greeting.to_owned(), shutdown_grace }
}

#[test]
fn defaults() {
    let defaults = Ok(config("0.0.0.0", 8080, "Hello", Duration::from_secs(10)));
    assert_eq!(config_of(&[]), defaults);
    assert_eq!(config_of(&[("PORT", ""), ("SHUTDOWN_GRACE", "")]), defaults);
}

#[test]
fn every_parameter_can_be_given() {
    let env = [("HOST", "127.0.0.1"), ("PORT", "9000"), ("GREETING", "Hi"), ("SHUTDOWN_GRACE", "500ms")];
    assert_eq!(config_of(&env), Ok(config("127.0.0.1", 9000, "Hi", Duration::from_millis(500))));
}

#[test]
fn units() {
    for (text, seconds) in [("2s", 2), ("3m", 180), ("1h", 3_600)] {
        let config = config_of(&[("SHUTDOWN_GRACE", text)]).unwrap();
        assert_eq!(config.shutdown_grace, Duration::from_secs(seconds), "{text}");
    }
}

#[test]
fn nonsense_is_refused_by_name() {
    for (name, value) in [("PORT", "http"), ("PORT", "65536"), ("PORT", "-1"), ("PORT", " 80"), ("SHUTDOWN_GRACE", "10")] {
        let reason = config_of(&[(name, value)]).unwrap_err();
        assert!(reason.starts_with(name), "{reason}");
    }
}
