//! The SMTP integrator (`smtp`): hands on its configuration, the password in a secret that all relations share.

use super::relation::{Answer, SharedSecret, State, View, bag, python};

pub fn answer(view: &View) -> Answer {
    let host = view.option("host");
    if host.is_empty() {
        return Answer { state: State::Blocked("No host configured".into()), ..Answer::default() };
    }
    let sender = view.option("smtp_sender");
    let password = view.option("password");
    let app = bag([
        ("host", host),
        ("port", view.option("port")),
        ("user", view.option("user")),
        ("auth_type", view.option("auth_type")),
        ("transport_security", view.option("transport_security")),
        ("domain", view.option("domain")),
        ("skip_ssl_verify", python(view.flag("skip_ssl_verify")).to_owned()),
        ("smtp_sender", sender),
        // Goes when there is none; the secret's URI takes its place otherwise.
        ("password_id", String::new()),
    ]);
    let secret = (!password.is_empty()).then(|| SharedSecret {
        key: "password_id",
        label: "smtp-password".into(),
        content: vec![("password", password)],
    });
    Answer { app: Some(app), secret, ..Answer::default() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_a_host_nothing_is_said_and_the_password_is_never_in_the_bag() {
        let mut view = View::default();
        assert!(answer(&view).app.is_none());
        view.config.insert("host".into(), "mail.example".into());
        view.config.insert("port".into(), 587.into());
        view.config.insert("password".into(), "sesame".into());
        let answer = answer(&view);
        let bag = answer.app.unwrap();
        assert_eq!((bag["port"].as_str(), bag["skip_ssl_verify"].as_str()), ("587", "False"));
        assert!(bag.values().all(|value| value != "sesame"));
        assert_eq!(answer.secret.unwrap().content, [("password", "sesame".to_owned())]);
    }
}
