//! The files beside kratos.yaml that the charm puts into the workload: mail templates and certificate authorities.
//!
//! Given the facts, [`files`] says what each path should hold. Kratos keeps a template that it has read and Go keeps the
//! certificates of a process, so a change takes effect at a restart only: a digest of all these files stands in the
//! environment of the services, where it makes a changed file a changed service.

use std::collections::BTreeMap;

use sha2::{Digest, Sha256};

use crate::kratos::facts::Facts;
use crate::kratos::names::{CERTIFICATES, RECOVERY_TEMPLATE, VERIFICATION_TEMPLATE};

/// A variable that Kratos does not know: [`digest`].
pub const DIGEST_VARIABLE: &str = "KRATOS_OPERATOR_FILES";

const CERTIFICATE_DIRECTORY: &str = "/etc/config/certificates";
/// Where Go finds the system's authorities. `SSL_CERT_DIR` takes their place, so they are named again.
const SYSTEM_DIRECTORIES: &str = "/etc/ssl/certs:/etc/pki/tls/certs";

/// The content of each file by its path in the container; `None`: it should not be there.
pub fn files(facts: &Facts) -> BTreeMap<&'static str, Option<String>> {
    let options = &facts.options;
    let verification = facts.verification_template.clone().filter(|_| options.enable_verification);
    BTreeMap::from([
        (RECOVERY_TEMPLATE, options.recovery_email_template.clone()),
        (VERIFICATION_TEMPLATE, verification),
        (CERTIFICATES, certificates(facts)),
    ])
}

/// A digest of the files that are there; `None`: there are none.
pub fn digest(facts: &Facts) -> Option<String> {
    let mut files = files(facts);
    files.retain(|_, content| content.is_some());
    let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    (!files.is_empty()).then(|| hex(&Sha256::digest(serde_json::json!(files).to_string())[..16]))
}

/// The value of `SSL_CERT_DIR`; `None`: the system's authorities are all. `SSL_CERT_FILE` stays as it is, so Go reads the
/// system's bundle too.
pub fn certificate_directories(facts: &Facts) -> Option<String> {
    let directory = || facts.place.path(CERTIFICATE_DIRECTORY);
    (!facts.certificates.is_empty()).then(|| format!("{}:{SYSTEM_DIRECTORIES}", directory()))
}

/// All authorities, one after the other. Go reads every certificate of a file.
fn certificates(facts: &Facts) -> Option<String> {
    let texts: Vec<String> = facts.certificates.iter().map(|pem| format!("{}\n", pem.trim())).collect();
    (!texts.is_empty()).then(|| texts.concat())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kratos::names::OWNED_FILES;
    use crate::kratos::render::environment::environment;

    #[test]
    fn nothing_is_there_that_nobody_asked_for() {
        let facts = Facts::sample();
        assert!(files(&facts).values().all(Option::is_none));
        assert!(files(&facts).keys().all(|path| OWNED_FILES.contains(path)));
        assert!(
            !environment(&facts)
                .keys()
                .any(|name| [DIGEST_VARIABLE, "SSL_CERT_DIR"].contains(&name.as_str()))
        );
    }

    #[test]
    fn weakness_56_and_rows_43_and_44_a_changed_authority_restarts_what_read_it() {
        let mut facts = Facts::sample();
        facts.certificates = vec!["-----BEGIN A\n".to_owned(), "-----BEGIN B".to_owned()];
        assert_eq!(files(&facts)[CERTIFICATES].as_deref(), Some("-----BEGIN A\n-----BEGIN B\n"));
        let before = environment(&facts);
        assert_eq!(before["SSL_CERT_DIR"], "/etc/config/certificates:/etc/ssl/certs:/etc/pki/tls/certs");
        facts.certificates.pop();
        assert_ne!(environment(&facts)[DIGEST_VARIABLE], before[DIGEST_VARIABLE], "Go reads them once");
    }

    #[test]
    fn row_45_needs_the_option_and_the_resource() {
        let mut facts = Facts::sample();
        facts.verification_template = Some("<p>{{ .VerificationCode }}".to_owned());
        assert_eq!(files(&facts)[VERIFICATION_TEMPLATE], None);
        facts.options.enable_verification = true;
        assert_eq!(files(&facts)[VERIFICATION_TEMPLATE], facts.verification_template);
        facts.verification_template = None;
        assert_eq!(files(&facts)[VERIFICATION_TEMPLATE], None);
    }
}
