//! One certificate authority per cluster, and the certificates that it signs.

use std::fs;
use std::net::{IpAddr, Ipv4Addr};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer,
    KeyPair, KeyUsagePurpose, SanType,
};

/// The address under which pods reach the API server: the first of the Service range.
pub const KUBERNETES_SERVICE: Ipv4Addr = Ipv4Addr::new(10, 96, 0, 1);

/// A certificate and its key, as PEM.
pub struct Pair {
    /// The certificate.
    pub certificate: String,
    /// Its private key.
    pub key: String,
}

/// The authority, kept in the cluster's folder so that every process that joins the cluster can create users.
pub struct Pki {
    dir: PathBuf,
    issuer: Issuer<'static, KeyPair>,
}

impl Pki {
    /// Creates a new authority and the key that signs service account tokens.
    pub fn create(dir: &Path) -> Result<Self> {
        // Nobody else on the machine shall become its admin.
        fs::DirBuilder::new().mode(0o700).create(dir)?;
        let key = KeyPair::generate()?;
        fs::write(dir.join("ca.key"), key.serialize_pem())?;
        fs::write(dir.join("ca.crt"), authority()?.self_signed(&key)?.pem())?;
        let tokens = KeyPair::generate()?;
        fs::write(dir.join("service-accounts.key"), tokens.serialize_pem())?;
        fs::write(dir.join("service-accounts.pub"), tokens.public_key_pem())?;
        Self::open(dir)
    }

    /// Reads the authority of an existing cluster.
    pub fn open(dir: &Path) -> Result<Self> {
        let key =
            fs::read_to_string(dir.join("ca.key")).context("the cluster's folder holds no authority")?;
        Ok(Self { dir: dir.to_owned(), issuer: Issuer::new(authority()?, KeyPair::from_pem(&key)?) })
    }

    /// A file of the authority: `ca.crt`, `ca.key`, `service-accounts.key`, or of a pair stored by [`Pki::store`].
    pub fn file(&self, name: &str) -> PathBuf {
        self.dir.join(name)
    }

    /// The authority's certificate.
    pub fn authority(&self) -> Result<String> {
        Ok(fs::read_to_string(self.file("ca.crt"))?)
    }

    /// A client certificate: Kubernetes takes the common name for the user and the organizations for the groups.
    pub fn client(&self, user: &str, groups: &[&str]) -> Result<Pair> {
        let mut params = CertificateParams::default();
        params.distinguished_name = name(user, groups)?;
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        self.sign(params)
    }

    /// A server certificate.
    pub fn server(&self, user: &str, groups: &[&str], names: &[&str], addresses: &[IpAddr]) -> Result<Pair> {
        let mut params = CertificateParams::new(names.iter().map(ToString::to_string).collect::<Vec<_>>())?;
        params.distinguished_name = name(user, groups)?;
        params.subject_alt_names.extend(addresses.iter().copied().map(SanType::IpAddress));
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        self.sign(params)
    }

    /// Writes a pair as `NAME.crt` and `NAME.key`.
    pub fn store(&self, name: &str, pair: &Pair) -> Result<()> {
        fs::write(self.file(&format!("{name}.crt")), &pair.certificate)?;
        fs::write(self.file(&format!("{name}.key")), &pair.key)?;
        Ok(())
    }

    fn sign(&self, mut params: CertificateParams) -> Result<Pair> {
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        let key = KeyPair::generate()?;
        let certificate = params.signed_by(&key, &self.issuer)?;
        Ok(Pair { certificate: certificate.pem(), key: key.serialize_pem() })
    }
}

/// The authority's parameters are the same each time: with its key they are all that signing needs.
fn authority() -> Result<CertificateParams> {
    let mut params = CertificateParams::default();
    params.distinguished_name = name("bluegreen test cluster", &[])?;
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature, KeyUsagePurpose::KeyCertSign];
    Ok(params)
}

/// A subject. rcgen holds one value per attribute type, so a second organization goes in under its bare number,
/// and there is no third.
fn name(user: &str, groups: &[&str]) -> Result<DistinguishedName> {
    let mut name = DistinguishedName::new();
    name.push(DnType::CommonName, user);
    let organization = [DnType::OrganizationName, DnType::CustomDnType(vec![2, 5, 4, 10])];
    ensure!(
        groups.len() <= organization.len(),
        "a client certificate of the test cluster holds two groups at most"
    );
    for (kind, group) in organization.into_iter().zip(groups) {
        name.push(kind, *group);
    }
    Ok(name)
}
