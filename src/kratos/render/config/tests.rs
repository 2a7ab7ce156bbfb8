//! The rows of docs/behaviour.md about kratos.yaml as tests: facts in, configuration and notes out.

use serde_json::{Value, json};

use super::*;
use crate::kratos::facts::login_ui::LoginUi;
use crate::kratos::facts::options::Options;
use crate::kratos::facts::provider::OidcProvider;
use crate::kratos::facts::public_url::PublicUrl;
use crate::kratos::facts::schema_set::SchemaSet;
use crate::kratos::facts::web_hook::WebHook;
use crate::kratos::render::notes::Source;
use crate::kratos::render::stored::ConfigMapNames;
use crate::kratos::version::WorkloadVersion;

mod hooks;
mod hostile;
mod oidc;

/// Facts with these options; the rest as in [`Facts::sample`].
fn facts(config: Value) -> Facts {
    let config = config.as_object().unwrap().clone().into_iter().collect();
    Facts { options: Options::parse("kratos", &config, None).unwrap(), ..Facts::sample() }
}

/// A login user interface with every page.
fn ui() -> LoginUi {
    let page = |name: &str| Some(format!("https://id.example.com/ui/{name}"));
    LoginUi {
        error_url: page("error"),
        login_url: page("login"),
        recovery_url: page("recovery"),
        registration_url: page("registration"),
        settings_url: page("settings"),
        webauthn_settings_url: page("webauthn"),
        account_linking_settings_url: page("linking"),
        verification_url: page("verification"),
        ..LoginUi::default()
    }
}

fn with_ui(config: Value) -> Facts {
    Facts { login_ui: ui(), ..facts(config) }
}

fn google(id: &str) -> OidcProvider {
    let text = json!({"id": id, "provider": "google", "client_id": "c", "client_secret": "s"});
    serde_json::from_value(text).unwrap()
}

fn hook(change: Value) -> WebHook {
    let mut hook = json!({"url": "https://hook.example.com/", "body": "base64://e30=", "method": "POST", "when": "after"});
    hook.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
    serde_json::from_value(hook).unwrap()
}

/// The whole file as Kratos reads it, and the texts of the notes.
fn rendered(facts: &Facts) -> (Value, Vec<String>) {
    let (config, notes) = KratosConfig::render(facts);
    let read: Value = serde_yaml::from_str(&config.to_yaml()).unwrap();
    assert_eq!(read, serde_json::to_value(&config).unwrap());
    (read, notes.into_iter().map(|note| note.text).collect())
}

/// A part of the file that has to be rendered without a note.
fn part(facts: &Facts, pointer: &str) -> Value {
    let (read, notes) = rendered(facts);
    assert!(notes.is_empty(), "{notes:?}");
    read.pointer(pointer).cloned().unwrap_or(Value::Null)
}

fn flows(facts: &Facts) -> Value {
    part(facts, "/selfservice/flows")
}

fn methods(facts: &Facts) -> Value {
    part(facts, "/selfservice/methods")
}

fn schema(name: &str) -> Value {
    json!({"properties": {"traits": {"properties": {name: {"type": "string"}}}}})
}

fn schema_set(id: &str) -> SchemaSet {
    SchemaSet { default_id: id.to_owned(), schemas: [(id.to_owned(), schema(id))].into() }
}

#[test]
fn row_52_the_first_source_of_schemas_wins_wholly() {
    let ids = |facts: &Facts| {
        let identity = part(facts, "/identity");
        let ids = identity["schemas"]
            .as_array()
            .unwrap()
            .iter()
            .map(|schema| schema["id"].clone())
            .collect::<Vec<_>>();
        (identity["default_schema_id"].as_str().unwrap().to_owned(), Value::from(ids))
    };
    let mut facts = facts(json!({}));
    assert_eq!(ids(&facts), ("social_user_v0".to_owned(), json!(["admin_v0", "social_user_v0"])));
    facts.stored_schemas = Some(schema_set("stored"));
    assert_eq!(ids(&facts), ("stored".to_owned(), json!(["stored"])));
    facts.options.identity_schemas = Some(schema_set("given").schemas);
    assert_eq!(ids(&facts).0, "stored", "one option alone is none");
    facts.options.default_identity_schema_id = Some("given".to_owned());
    assert_eq!(ids(&facts), ("given".to_owned(), json!(["given"])));
}

#[test]
fn row_52_stored_schemas_that_kratos_would_refuse_are_not_used() {
    let cases = [
        (SchemaSet { default_id: "x".to_owned(), ..schema_set("a") }, "the default \"x\" is not among them"),
        (
            SchemaSet { default_id: "a".to_owned(), schemas: [("a".to_owned(), json!([]))].into() },
            "of \"a\", the schema is no JSON object",
        ),
    ];
    for (set, fault) in cases {
        let (read, notes) = rendered(&Facts { stored_schemas: Some(set), ..Facts::sample() });
        assert_eq!(read["identity"]["default_schema_id"], "social_user_v0");
        assert_eq!(notes, [format!("The identity schemas of the ConfigMap are not used: {fault}")]);
    }
    let empty = SchemaSet { default_id: String::new(), schemas: [].into() };
    assert_eq!(
        part(&Facts { stored_schemas: Some(empty), ..Facts::sample() }, "/identity/default_schema_id"),
        "social_user_v0"
    );
}

#[test]
fn row_53_a_schema_is_its_own_url() {
    use base64::Engine;
    let facts = Facts { stored_schemas: Some(schema_set("a: #\u{1f600}")), ..Facts::sample() };
    let url = part(&facts, "/identity/schemas/0/url");
    let data = url.as_str().unwrap().strip_prefix("base64://").unwrap();
    let text = base64::prelude::BASE64_STANDARD.decode(data).unwrap();
    assert_eq!(serde_json::from_slice::<Value>(&text).unwrap(), schema("a: #\u{1f600}"));
}

#[test]
fn the_bundled_schemas_keep_their_ids_and_traits() {
    for (id, text) in BUNDLED_SCHEMAS {
        let schema: Value = serde_json::from_str(text).unwrap();
        assert_eq!(crate::kratos::schema::rules::fault_of_schema(&schema, None), None);
        let traits = &schema["properties"]["traits"]["properties"];
        let kratos = &traits["email"]["ory.sh/kratos"];
        assert_eq!(kratos["credentials"]["password"]["identifier"], true, "{id}");
        assert_eq!(kratos["recovery"]["via"], "email", "{id}");
        assert_eq!(traits["username"].is_object(), id == "admin_v0");
    }
}

#[test]
fn row_55_the_settings_page_is_where_a_browser_ends() {
    let url = |facts: &Facts| part(facts, "/selfservice/default_browser_return_url");
    assert_eq!(url(&facts(json!({}))), "http://example-default-return-url.com");
    assert_eq!(url(&with_ui(json!({}))), "https://id.example.com/ui/settings");
}

#[test]
fn row_56_flows_are_there_if_anybody_needs_them() {
    let base = || facts(json!({}));
    let page = || Some("/ui/x".to_owned());
    let cases: [(Facts, bool); 7] = [
        (base(), false),
        (
            Facts {
                login_ui: LoginUi { settings_url: page(), recovery_url: page(), ..LoginUi::default() },
                ..base()
            },
            false,
        ),
        (Facts { login_ui: LoginUi { error_url: page(), ..LoginUi::default() }, ..base() }, true),
        (Facts { login_ui: LoginUi { login_url: page(), ..LoginUi::default() }, ..base() }, true),
        (Facts { related_providers: vec![google("g")], ..base() }, true),
        (Facts { registration_hooks: vec![hook(json!({}))], ..base() }, true),
        (Facts { login_hooks: vec![hook(json!({}))], ..base() }, true),
    ];
    for (facts, expected) in cases {
        assert_eq!(flows(&facts).is_object(), expected, "{facts:?}");
    }
}

#[test]
fn rows_57_and_58_name_the_pages() {
    let read = flows(&with_ui(json!({})));
    assert_eq!(read["error"], json!({"ui_url": "https://id.example.com/ui/error"}));
    assert_eq!(
        read["login"],
        json!({"ui_url": "https://id.example.com/ui/login", "style": "identifier_first"})
    );
    let settings = json!({
        "ui_url": "https://id.example.com/ui/settings",
        "required_aal": "highest_available",
        "after": {"oidc": {"default_browser_return_url": "https://id.example.com/ui/linking"}},
    });
    assert_eq!(read["settings"], settings);
    for option in ["enable_passwordless_login_method", "enable_oidc_webauthn_sequencing"] {
        let mut facts = with_ui(json!({option: true}));
        facts.public_url = PublicUrl::parse("https://id.example.com").ok();
        let after = flows(&facts)["settings"]["after"].clone();
        assert_eq!(
            after["webauthn"]["default_browser_return_url"], "https://id.example.com/ui/webauthn",
            "{option}"
        );
    }
    let mut facts = with_ui(json!({}));
    facts.login_ui.account_linking_settings_url = None;
    assert!(flows(&facts)["settings"].get("after").is_none(), "an empty section is none");
}

#[test]
fn row_59_recovery_needs_a_page_and_local_accounts() {
    let recovery = json!({
        "enabled": true,
        "ui_url": "https://id.example.com/ui/recovery",
        "use": "code",
        "after": {
            "default_browser_return_url": "https://id.example.com/ui/settings",
            "hooks": [{"hook": "revoke_active_sessions"}],
        },
    });
    assert_eq!(flows(&with_ui(json!({})))["recovery"], recovery);
    assert_eq!(flows(&with_ui(json!({"enable_local_idp": false})))["recovery"], Value::Null);
    let mut facts = with_ui(json!({}));
    facts.login_ui.recovery_url = None;
    assert_eq!(flows(&facts)["recovery"], Value::Null);
}

#[test]
fn row_60_verification_needs_the_option_and_local_accounts() {
    let verification = json!({
        "enabled": true,
        "ui_url": "https://id.example.com/ui/verification",
        "lifespan": "1h",
        "use": "code",
        "notify_unknown_recipients": false,
    });
    assert_eq!(flows(&with_ui(json!({"enable_verification": true})))["verification"], verification);
    assert_eq!(flows(&with_ui(json!({})))["verification"], Value::Null);
    let external = with_ui(json!({"enable_verification": true, "enable_local_idp": false}));
    assert_eq!(flows(&external)["verification"], Value::Null);
}

#[test]
fn weakness_64_and_row_61_registration_is_open_where_there_is_a_page_for_it() {
    let registration = flows(&with_ui(json!({})))["registration"].clone();
    assert_eq!(registration["enabled"], true);
    assert_eq!(registration["ui_url"], "https://id.example.com/ui/registration");
    let mut facts = with_ui(json!({}));
    facts.login_ui.registration_url = None;
    assert_eq!(flows(&facts)["registration"]["enabled"], false, "Kratos would let everybody register");
    facts.related_providers = vec![google("g")];
    assert_eq!(flows(&facts)["registration"].get("enabled"), None, "a first login is a registration");
    assert_eq!(flows(&with_ui(json!({"enable_local_idp": false})))["registration"], Value::Null);
}

#[test]
fn row_68_methods_are_there_if_anybody_needs_them() {
    let base = || facts(json!({}));
    let page = || Some("/ui/x".to_owned());
    let login = || LoginUi { login_url: page(), ..LoginUi::default() };
    let cases: [(Facts, bool); 5] = [
        (base(), false),
        (Facts { related_providers: vec![google("g")], ..base() }, true),
        (Facts { login_ui: LoginUi { recovery_url: page(), ..LoginUi::default() }, ..base() }, true),
        (Facts { login_ui: login(), ..base() }, true),
        // Otherwise Kratos would go on with passwords, which were switched off.
        (facts(json!({"enable_local_idp": false})), true),
    ];
    for (facts, expected) in cases {
        assert_eq!(methods(&facts).is_object(), expected, "{facts:?}");
    }
}

#[test]
fn rows_69_to_73_switch_the_methods() {
    let on = json!({"enabled": true});
    let off = json!({"enabled": false});
    let read = methods(&with_ui(json!({})));
    assert_eq!([&read["profile"], &read["link"], &read["passkey"], &read["code"]], [&on, &off, &off, &on]);
    assert_eq!(read["password"], json!({"enabled": true, "config": {"haveibeenpwned_enabled": false}}));
    assert_eq!(read["totp"], json!({"enabled": true, "config": {"issuer": "Identity Platform"}}));
    assert_eq!(read["lookup_secret"], on);
    assert!(read.get("webauthn").is_none() && read.get("oidc").is_none());

    let read = methods(&with_ui(json!({"enforce_mfa": false})));
    assert!(read.get("totp").is_none() && read.get("lookup_secret").is_none());

    let read = methods(&with_ui(json!({"enable_local_idp": false, "enable_verification": true})));
    assert_eq!([&read["profile"], &read["password"]], [&off, &off]);
    assert!(read.get("code").is_none() && read.get("totp").is_none() && read.get("lookup_secret").is_none());

    let mut facts = with_ui(json!({}));
    facts.login_ui.login_url = None;
    let read = methods(&facts);
    assert_eq!((&read["password"], read.get("totp"), &read["lookup_secret"]), (&off, None, &on));
    facts.login_ui.recovery_url = None;
    facts.related_providers = vec![google("g")];
    assert_eq!(methods(&facts).get("code"), None);
    facts.options.enable_verification = true;
    assert_eq!(methods(&facts)["code"], on);
}

#[test]
fn weakness_63_and_row_74_a_security_key_belongs_to_a_host_and_a_port() {
    for (option, passwordless) in
        [("enable_passwordless_login_method", true), ("enable_oidc_webauthn_sequencing", false)]
    {
        let mut facts = with_ui(json!({option: true}));
        facts.public_url = PublicUrl::parse("https://id.example.com:8443").ok();
        let expected = json!({
            "enabled": true,
            "config": {
                "passwordless": passwordless,
                "rp": {
                    "id": "id.example.com",
                    "origins": ["https://id.example.com:8443"],
                    "display_name": "Identity Platform",
                },
            },
        });
        assert_eq!(methods(&facts)["webauthn"], expected);
        facts.public_url = None;
        let (read, notes) = rendered(&facts);
        assert!(read["selfservice"]["methods"].get("webauthn").is_none());
        assert_eq!(notes, ["Security keys are off without a public host name"]);
    }
    let sequencing = with_ui(json!({"enable_oidc_webauthn_sequencing": true, "enforce_mfa": false}));
    assert_eq!(rendered(&sequencing).0["selfservice"]["methods"]["lookup_secret"]["enabled"], true);
}

#[test]
fn a_page_that_is_none_is_left_out_and_told() {
    let mut facts = with_ui(json!({}));
    facts.login_ui.settings_url = Some("a b: # c".to_owned());
    facts.login_ui.error_url = Some(String::new());
    let (read, notes) = rendered(&facts);
    assert_eq!(read["selfservice"]["default_browser_return_url"], PLACEHOLDER_RETURN_URL);
    assert!(
        read["selfservice"]["flows"].get("settings").is_none()
            && read["selfservice"]["flows"].get("error").is_none()
    );
    assert_eq!(notes, ["settings_url is not used: \"a b: # c\" is no URL of a page"]);
}

#[test]
fn a_note_leads_to_where_it_is_mended() {
    let note = |source| Note { text: "It is wrong".to_owned(), source };
    let maps = ConfigMapNames { providers: "other-oidc-providers", ..ConfigMapNames::usual("idp") };
    assert_eq!(
        note(Source::Endpoint("smtp")).message("kratos", &maps),
        "It is wrong; see what is integrated with smtp: juju status kratos --relations"
    );
    assert_eq!(
        note(Source::Providers).message("kratos", &maps),
        "It is wrong; mend it: kubectl --namespace idp edit configmap other-oidc-providers"
    );
}

#[test]
fn every_section_of_the_file_is_declared() {
    let config = KratosConfig::render(&with_ui(json!({}))).0;
    // A new section is a field here, and a row of SECTIONS.
    let KratosConfig { identity: _, selfservice: _, serve: _ } = &config;
    let file = serde_json::to_value(&config).unwrap();
    let keys: Vec<&str> = file.as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(keys, SECTIONS.map(|(key, _)| key));
    assert!(is_live("selfservice") && !is_live("serve") && !is_live("log"));
}
