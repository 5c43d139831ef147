//! One order (RFC 8555, section 7.4): from the account to a certificate that lies in the folder.

use std::fs;
use std::io;
use std::time::Duration;

use instant_acme::{
    Account, AccountCredentials, AuthorizationHandle, AuthorizationStatus, ChallengeHandle, ChallengeType,
    Error as AcmeError, Identifier, NewAccount, NewOrder, Order, OrderStatus, RetryPolicy,
};
use rcgen::{CertificateParams, CustomExtension, KeyPair};

use super::folder::replace;
use super::lifetime::Leaf;
use super::{Acme, AcmeFailure};
use crate::config::Challenge;
use crate::http::read_certificate;

/// How long the authority may take for its look at our challenges, and again for the certificate.
const PATIENCE: RetryPolicy = RetryPolicy::new().timeout(Duration::from_secs(120));

impl Acme {
    /// The account in the folder, or a new one.
    pub(super) async fn account(&self) -> Result<Account, AcmeFailure> {
        let builder = Account::builder_with_http(Box::new(self.client.clone()));
        let kept = match fs::read(self.folder.account()) {
            Ok(text) => Some(text),
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => return Err(error.into()),
        };
        if let Some(kept) = kept {
            let credentials: AccountCredentials =
                serde_json::from_slice(&kept).map_err(|_| AcmeFailure::Account)?;
            return Ok(builder.from_credentials(credentials).await?);
        }
        let contact: Vec<&str> = self.contact.iter().map(String::as_str).collect();
        let new =
            NewAccount { contact: &contact, terms_of_service_agreed: true, only_return_existing: false };
        let (account, credentials) = builder.create(&new, self.directory.clone(), None).await?;
        let text = serde_json::to_string(&credentials).map_err(AcmeError::from)?;
        replace(&self.folder.account(), &text, |_| Ok::<_, io::Error>(()))?;
        Ok(account)
    }

    /// Gets a certificate, in the place of `old` if the authority wants to know that.
    pub(super) async fn order(&self, old: Option<&Leaf>, now: i64) -> Result<(), AcmeFailure> {
        self.folder.clear_challenges()?;
        let account = self.account().await?;
        let names: Vec<_> = self.names.iter().cloned().map(Identifier::Dns).collect();
        let mut order = self.begin(&account, &names, old).await?;
        let done = self.fulfil(&mut order, now).await;
        self.folder.clear_challenges()?;
        done
    }

    async fn begin(
        &self,
        account: &Account,
        names: &[Identifier],
        old: Option<&Leaf>,
    ) -> Result<Order, AcmeFailure> {
        // RFC 9773, section 5: only where the authority tells about renewals, and about this certificate.
        if let Some(id) = old.filter(|old| old.covers(&self.names)).and_then(|old| old.id.as_ref())
            && account.renewal_info(id).await.is_ok()
        {
            match account.new_order(&NewOrder::new(names).replaces(id.clone())).await {
                Ok(order) => return Ok(order),
                // Perhaps it has a successor already, which never reached us; it would be refused for ever.
                Err(error) => {
                    let error = super::plain(&error.to_string());
                    tracing::warn!(error, "no order in the place of the old certificate; trying without");
                }
            }
        }
        Ok(account.new_order(&NewOrder::new(names)).await?)
    }

    async fn fulfil(&self, order: &mut Order, now: i64) -> Result<(), AcmeFailure> {
        let mut authorizations = order.authorizations();
        while let Some(authorization) = authorizations.next().await {
            self.authorize(authorization?).await?;
        }
        match order.poll_ready(&PATIENCE).await? {
            OrderStatus::Ready | OrderStatus::Valid => {}
            _ => return Err(AcmeFailure::Refused(why(order).await)),
        }
        let key = KeyPair::generate()?;
        let request = CertificateParams::new(self.names.to_vec())?.serialize_request(&key)?;
        order.finalize_csr(request.der()).await?;
        let chain = order.poll_certificate(&PATIENCE).await?;
        let text = zeroize::Zeroizing::new(format!("{}{chain}", key.serialize_pem()));
        replace(&self.folder.certificate(), &text, |file| {
            let pair =
                read_certificate(file, file).map_err(|error| AcmeFailure::Useless(error.to_string()))?;
            let leaf = pair.end_entity_cert().ok().and_then(|leaf| Leaf::read(leaf));
            match leaf {
                Some(leaf) if leaf.covers(&self.names) && !leaf.has_expired(now) => Ok(()),
                _ => Err(AcmeFailure::Useless("it is for other names, or another time".to_owned())),
            }
        })
    }

    /// Puts what the authority wants to see where it will look, and says so.
    async fn authorize(&self, mut authorization: AuthorizationHandle<'_>) -> Result<(), AcmeFailure> {
        match authorization.status {
            AuthorizationStatus::Valid => return Ok(()),
            AuthorizationStatus::Pending => {}
            status => return Err(AcmeFailure::Refused(format!("an authorization is {status:?}"))),
        }
        let kind = match self.challenge {
            Challenge::Http01 => ChallengeType::Http01,
            Challenge::TlsAlpn01 => ChallengeType::TlsAlpn01,
        };
        let challenge = authorization.challenge(kind);
        let mut challenge =
            challenge.ok_or_else(|| AcmeFailure::Refused("it does not offer this challenge".to_owned()))?;
        self.show(&challenge)?;
        Ok(challenge.set_ready().await?)
    }

    fn show(&self, challenge: &ChallengeHandle<'_>) -> Result<(), AcmeFailure> {
        let unknown = || AcmeFailure::Refused("its challenge is about something else".to_owned());
        let answer = challenge.key_authorization();
        let (file, text) = match (self.challenge, challenge.identifier().identifier) {
            (Challenge::Http01, _) => {
                (self.challenges.token_file(&challenge.token), answer.as_str().to_owned())
            }
            (Challenge::TlsAlpn01, Identifier::Dns(name)) => {
                let text = alpn_certificate(name, answer.digest().as_ref())?;
                (self.challenges.name_file(name), text)
            }
            _ => return Err(unknown()),
        };
        replace(&file.ok_or_else(unknown)?, &text, |_| Ok(()))
    }
}

/// The certificate of RFC 8737, section 3, for one name, and its key.
fn alpn_certificate(name: &str, digest: &[u8]) -> Result<String, rcgen::Error> {
    let mut params = CertificateParams::new(vec![name.to_owned()])?;
    params.custom_extensions = vec![CustomExtension::new_acme_identifier(digest)];
    let key = KeyPair::generate()?;
    Ok(format!("{}{}", params.self_signed(&key)?.pem(), key.serialize_pem()))
}

/// What the authority has against an order that it has refused.
async fn why(order: &mut Order) -> String {
    let mut reasons = Vec::new();
    let refreshed = order.refresh().await;
    reasons.extend(refreshed.ok().and_then(|state| state.error.as_ref()).map(ToString::to_string));
    let mut authorizations = order.authorizations();
    while let Some(Ok(mut authorization)) = authorizations.next().await {
        let Ok(state) = authorization.refresh().await else { continue };
        let name = state.identifier().to_string();
        let errors = state.challenges.iter().filter_map(|challenge| challenge.error.as_ref());
        reasons.extend(errors.map(|error| format!("{name}: {error}")));
    }
    if reasons.is_empty() { "it does not say why".to_owned() } else { reasons.join("; ") }
}
