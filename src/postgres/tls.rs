//! How the server's certificate is judged: by its chain and the host's name (`verify-full`), by its chain alone (`verify-ca`),
//! or not at all (`prefer`, `require`).
//!
//! Given a [`Dsn`], it builds the rustls configuration for one connection. The charm leaves the host name out on purpose:
//! Kratos is told `sslmode=verify-ca`, because a charmed PostgreSQL is reached under Service names that its certificate
//! need not carry, and the charm must not judge otherwise than the program it runs.

use std::sync::Arc;

use rustls::client::WantsClientCert;
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use rustls::{
    CertificateError, ClientConfig, ConfigBuilder, DigitallySignedStruct, RootCertStore, SignatureScheme,
};

use super::dsn::{Dsn, Tls};
use super::error::{Error, Result};

/// The client side of a TLS handshake for `dsn`; a bundle without a usable certificate is [`Error::BadCa`].
pub(super) fn client_config(dsn: &Dsn) -> Result<ClientConfig> {
    let builder = judging(dsn.tls())?;
    let Some(own) = dsn.certificate() else { return Ok(builder.with_no_client_auth()) };
    let unusable = |what: &str, path: &str, reason: String| Error::Other {
        sqlstate: None,
        message: format!("the {what} {path} cannot be used: {reason}"),
    };
    let chain = CertificateDer::pem_slice_iter(own.certificate_pem.as_bytes())
        .collect::<std::result::Result<Vec<_>, _>>()
        .map_err(|error| unusable("client certificate", &own.certificate_file, error.to_string()))?;
    let key = PrivateKeyDer::from_pem_slice(own.key_pem.as_bytes())
        .map_err(|error| unusable("client key", &own.key_file, error.to_string()))?;
    let key = ring::default_provider()
        .key_provider
        .load_private_key(key)
        .map_err(|error| unusable("client key", &own.key_file, error.to_string()))?;
    // Whether both belong together is the server's to judge: webpki reads no certificate of version 1, which `openssl x509
    // -req` makes by default and Kratos takes.
    let shown = SingleCertAndKey::from(CertifiedKey::new(chain, key));
    Ok(builder.with_client_cert_resolver(Arc::new(shown)))
}

fn judging(tls: &Tls) -> Result<ConfigBuilder<ClientConfig, WantsClientCert>> {
    let provider = Arc::new(ring::default_provider());
    let verifier: Arc<dyn ServerCertVerifier> = match tls {
        Tls::VerifyCa { ca_pem, .. } => Arc::new(ChainOnly::new(ca_pem, Arc::clone(&provider))?),
        Tls::VerifyFull { ca_pem, .. } => ChainOnly::new(ca_pem, Arc::clone(&provider))?.webpki,
        Tls::Prefer | Tls::Disable | Tls::Allow | Tls::Require => Arc::new(Unverified(Arc::clone(&provider))),
    };
    let builder = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| Error::Other { sqlstate: None, message: format!("cannot set TLS up: {error}") })?;
    Ok(builder.dangerous().with_custom_certificate_verifier(verifier))
}

/// Checks that a bundle holds certificates that a server can be verified with.
pub fn check_ca(ca_pem: &str) -> Result<()> {
    ChainOnly::new(ca_pem, Arc::new(ring::default_provider())).map(|_| ())
}

/// Verifies the chain, its validity and its signatures, but forgives a name that does not match.
#[derive(Debug)]
struct ChainOnly {
    webpki: Arc<WebPkiServerVerifier>,
    given: Vec<CertificateDer<'static>>,
}

impl ChainOnly {
    fn new(ca_pem: &str, provider: Arc<CryptoProvider>) -> Result<Self> {
        let bad = |reason: String| Error::BadCa { reason };
        let given = CertificateDer::pem_slice_iter(ca_pem.as_bytes())
            .collect::<std::result::Result<Vec<_>, _>>()
            .map_err(|error| bad(error.to_string()))?;
        if given.is_empty() {
            return Err(bad("it holds no certificate".to_owned()));
        }
        let mut roots = RootCertStore::empty();
        for (index, certificate) in given.iter().enumerate() {
            roots
                .add(certificate.clone())
                .map_err(|error| bad(format!("certificate {} of {}: {error}", index + 1, given.len())))?;
        }
        let webpki = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider)
            .build()
            .map_err(|error| bad(error.to_string()))?;
        Ok(Self { webpki, given })
    }

    /// Whether the server showed one of the given certificates itself. OpenSSL and Go trust that; webpki refuses a
    /// certificate with the CA flag as a server's, which is what `openssl req -x509` makes by default.
    fn is_given(&self, end_entity: &CertificateDer<'_>) -> bool {
        self.given.iter().any(|certificate| certificate.as_ref() == end_entity.as_ref())
    }
}

impl ServerCertVerifier for ChainOnly {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> std::result::Result<ServerCertVerified, rustls::Error> {
        let verdict =
            self.webpki.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now);
        match verdict {
            // The name is compared last, so the chain is known to be good here.
            Err(rustls::Error::InvalidCertificate(
                CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
            )) => Ok(ServerCertVerified::assertion()),
            // Only this refusal is webpki's own strictness; a date or a signature that is wrong stays wrong.
            Err(rustls::Error::InvalidCertificate(CertificateError::Other(_)))
                if self.is_given(end_entity) =>
            {
                Ok(ServerCertVerified::assertion())
            }
            verdict => verdict,
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> std::result::Result<HandshakeSignatureValid, rustls::Error> {
        self.webpki.verify_tls12_signature(message, certificate, signed)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> std::result::Result<HandshakeSignatureValid, rustls::Error> {
        self.webpki.verify_tls13_signature(message, certificate, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.webpki.supported_verify_schemes()
    }
}

/// Takes any certificate. Signatures are not checked either: they would prove possession of a key nobody trusts.
#[derive(Debug)]
struct Unverified(Arc<CryptoProvider>);

impl ServerCertVerifier for Unverified {
    fn verify_server_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> std::result::Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _message: &[u8],
        _certificate: &CertificateDer<'_>,
        _signed: &DigitallySignedStruct,
    ) -> std::result::Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _message: &[u8],
        _certificate: &CertificateDer<'_>,
        _signed: &DigitallySignedStruct,
    ) -> std::result::Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}

#[cfg(test)]
mod tests {
    use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, date_time_ymd};

    use super::*;

    type Issuer = CertifiedIssuer<'static, KeyPair>;

    fn params(name: &str) -> CertificateParams {
        let mut params = CertificateParams::new(vec![name.to_owned()]).unwrap();
        params.distinguished_name.push(DnType::CommonName, name);
        params
    }

    fn authority(mut params: CertificateParams) -> Issuer {
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap()
    }

    fn signed(params: &CertificateParams, by: &Issuer) -> CertificateDer<'static> {
        params.signed_by(&KeyPair::generate().unwrap(), by).unwrap().der().clone()
    }

    fn verdict(
        bundle: &str,
        shown: &CertificateDer<'_>,
    ) -> std::result::Result<ServerCertVerified, rustls::Error> {
        let verifier = ChainOnly::new(bundle, Arc::new(ring::default_provider())).unwrap();
        verifier.verify_server_cert(shown, &[], &"db.example".try_into().unwrap(), &[], UnixTime::now())
    }

    #[test]
    fn the_chain_counts_and_the_name_does_not() {
        let (ours, theirs) = (authority(params("ca")), authority(params("other ca")));
        let server = signed(&params("another.example"), &ours);
        let bundle = format!("{}\n{}", theirs.pem(), ours.pem());
        assert!(verdict(&bundle, &server).is_ok());
        assert!(verdict(&theirs.pem(), &server).is_err());
    }

    #[test]
    fn dates_count() {
        let ca = authority(params("ca"));
        let mut old = params("db.example");
        (old.not_before, old.not_after) = (date_time_ymd(2001, 1, 1), date_time_ymd(2002, 1, 1));
        assert!(verdict(&ca.pem(), &signed(&old, &ca)).is_err());
        let old = authority(old);
        assert!(verdict(&old.pem(), old.der()).is_err(), "the bundle itself has expired");
    }

    #[test]
    fn a_self_signed_server_is_trusted_by_its_own_certificate() {
        let server = authority(params("another.example"));
        assert!(verdict(&server.pem(), server.der()).is_ok());
        assert!(verdict(&authority(params("ca")).pem(), server.der()).is_err());
    }

    #[test]
    fn a_bad_bundle_is_a_typed_error() {
        for pem in [
            "",
            "not a PEM",
            "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
            "-----BEGIN CERTIFICATE-----\n!!!!\n-----END CERTIFICATE-----\n",
            "-----BEGIN CERTIFICATE-----\nAAAA\n",
            "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n",
        ] {
            let tls = Tls::VerifyCa { ca_pem: pem.to_owned(), ca_file: "/ca.pem".to_owned() };
            let error = judging(&tls).err().unwrap();
            assert_eq!(error.kind(), "bad-ca", "{pem}: {error}");
        }
    }

    #[test]
    fn without_a_ca_no_bundle_is_needed() {
        for tls in [Tls::Prefer, Tls::Disable, Tls::Require] {
            assert!(judging(&tls).is_ok(), "{tls:?}");
        }
    }
}
