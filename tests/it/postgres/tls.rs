//! Encryption, with a server whose certificate was made here.

use kratos_operator::postgres::{Connection, Tls};
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
        assert!(!encrypted(&open(&with(Tls::Disable)).await).await);

        let error = refused(&with(verify(theirs.pem())), PATIENCE).await;
        assert_eq!(error.kind(), "certificate-invalid", "{error}");
        assert!(error.to_string().contains("UnknownIssuer"), "{error}");
        let error = refused(&with(verify("nonsense".to_owned())), PATIENCE).await;
        assert_eq!(error.kind(), "bad-ca", "{error}");
    });
}
