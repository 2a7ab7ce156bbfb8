//! Encryption, with a server whose certificate was made here.

use kratos_operator::postgres::{ClientCertificate, Connection, Tls};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use sandbox::postgres::Options;

use super::support::{PATIENCE, Server, block_on, dsn, open, refused};

fn authority(name: &str) -> CertifiedIssuer<'static, KeyPair> {
    let mut params = CertificateParams::new(vec![name.to_owned()]).unwrap();
    params.distinguished_name.push(DnType::CommonName, name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap()
}

fn verify(ca_pem: String) -> Tls {
    Tls::VerifyCa { ca_pem, ca_file: "/etc/ca.pem".to_owned() }
}

async fn encrypted(connection: &Connection) -> bool {
    let sql = "SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()";
    connection.client().query_one(sql, &[]).await.unwrap().get(0)
}

#[test]
fn the_server_is_judged_by_its_ca() {
    let (ours, theirs) = (authority("ours"), authority("theirs"));
    let key = KeyPair::generate().unwrap();
    let params = CertificateParams::new(vec!["another-host.example".to_owned()]).unwrap();
    let certificate = params.signed_by(&key, &ours).unwrap();
    let options = Options { tls: Some((certificate.pem(), key.serialize_pem())), ..Options::default() };
    let server = Server::start(options);
    block_on(async {
        let name = server.database().await.username().to_owned();
        let with = |tls| dsn(&name, &format!("pass of {name}"), &name, vec![server.endpoint()], tls);

        for tls in
            [verify(ours.pem()), verify(format!("{}{}", theirs.pem(), ours.pem())), Tls::Require, Tls::Prefer]
        {
            assert!(encrypted(&open(&with(tls.clone())).await).await, "{tls:?}");
        }
        for tls in [Tls::Disable, Tls::Allow] {
            assert!(!encrypted(&open(&with(tls)).await).await);
        }

        // The chain is good, and the name is not that of the host.
        let full = Tls::VerifyFull { ca_pem: ours.pem(), ca_file: "/etc/ca.pem".to_owned() };
        let error = refused(&with(full), PATIENCE).await;
        assert_eq!(error.kind(), "certificate-invalid", "{error}");
        let error = refused(&with(verify(theirs.pem())), PATIENCE).await;
        assert_eq!(error.kind(), "certificate-invalid", "{error}");
        assert!(error.to_string().contains("UnknownIssuer"), "{error}");
        let error = refused(&with(verify("nonsense".to_owned())), PATIENCE).await;
        assert_eq!(error.kind(), "bad-ca", "{error}");
    });
}

#[test]
fn a_name_that_is_the_hosts_is_trusted_and_so_is_a_client_with_a_certificate() {
    let ours = authority("ours");
    let key = KeyPair::generate().unwrap();
    let certificate =
        CertificateParams::new(vec!["127.0.0.1".to_owned()]).unwrap().signed_by(&key, &ours).unwrap();
    let options = Options { tls: Some((certificate.pem(), key.serialize_pem())), ..Options::default() };
    let server = Server::start(options);
    block_on(async {
        let name = server.database().await.username().to_owned();
        let full = Tls::VerifyFull { ca_pem: ours.pem(), ca_file: "/etc/ca.pem".to_owned() };
        let dsn = dsn(&name, &format!("pass of {name}"), &name, vec![server.endpoint()], full);
        assert!(encrypted(&open(&dsn).await).await);
        let own = |certificate_pem: String, key_pem: String| ClientCertificate {
            certificate_pem,
            key_pem,
            certificate_file: "client.crt".to_owned(),
            key_file: "client.key".to_owned(),
        };
        let known = dsn.clone().with_certificate(own(certificate.pem(), key.serialize_pem()));
        assert!(encrypted(&open(&known).await).await);
        let error =
            refused(&dsn.with_certificate(own(certificate.pem(), "nonsense".to_owned())), PATIENCE).await;
        assert!(error.to_string().contains("the client key client.key cannot be used"), "{error}");
    });
}
