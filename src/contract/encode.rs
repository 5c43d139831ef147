//! From a named outcome to a [`Reply`]: status, headers and body, in the contract's words.

use super::decode::{Fields, Secrets, echo};
use super::outcome::phrase;
use super::rules::{shown_inputs, stored_value};
use super::template::{Lazy, Name, RenderError, Room, Template, Time, from_json, seen};
use super::{Contract, Make, Operation, Outcome, ReplyTemplate, Token};
use crate::breach::Filter;
use crate::proof::{Asked, Refused};
use crate::user::Meaning;
use http::{HeaderName, HeaderValue};
use jiff::Timestamp;
use minijinja::Value;
use serde_json::Value as Json;
use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;
use uuid::Uuid;

/// What surrounds a request: when, where, under which id.
#[derive(Debug, Clone)]
pub struct Circumstances {
    /// The one time that the whole request sees.
    pub now: Timestamp,
    /// `random.uuid`.
    pub random: Uuid,
    /// `request.id`.
    pub request_id: Box<str>,
    /// `request.path`, as the client wrote it.
    pub path: Box<str>,
    /// `request.base_url`, from the configuration and never from the request.
    pub base_url: Arc<str>,
    /// The deployment's secrets.
    pub secrets: Arc<Secrets>,
    /// Passwords that were in breaches.
    pub breached: Option<Arc<Filter>>,
    /// How proofs of work are judged; `None` where nobody asks for them, as in a dry run.
    pub proof: Option<Asked>,
}

impl Circumstances {
    pub(super) fn random(&self) -> Value {
        Room::value("random", vec![("uuid".into(), Value::from(self.random.to_string()))])
    }
}

/// One complaint, as a reply shows it.
#[derive(Clone, PartialEq)]
pub struct FieldError {
    /// Where it is reported.
    pub field: Arc<str>,
    /// The contract's tag, key or number.
    pub code: Json,
    /// What the rule says.
    pub message: String,
    /// The demand's own parameter.
    pub limit: Json,
    /// The refused value; none when nothing was sent and for secrets.
    pub value: Option<Json>,
    /// Whether anything was sent.
    pub sent: bool,
    /// The reply it leads to.
    pub outcome: Outcome,
    /// What is wrong with the proof of work, where that is the complaint.
    pub proof: Option<Refused>,
}

impl FieldError {
    /// The same complaint without what the client wrote.
    fn without_values(&self) -> FieldError {
        const MOST: usize = 200;
        let message = match self.message.char_indices().nth(MOST) {
            Some((end, _)) => self.message[..end].to_owned(),
            None => self.message.clone(),
        };
        FieldError { message, value: None, sent: false, ..self.clone() }
    }
}

impl fmt::Debug for FieldError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {} -> {}", self.field, self.code, self.outcome)
    }
}

/// The account that `created` tells about.
#[derive(Debug, Clone)]
pub struct Registered {
    /// `user.id`: a number or text.
    pub id: Json,
    /// `user.created_at` and `.updated_at`.
    pub at: Timestamp,
    /// `user.password_sha256`, when the contract reveals it.
    pub password_sha256: Option<String>,
}

/// Makes a JWT of claims.
type Sign = dyn Fn(&str) -> String + Send + Sync;
/// Makes bytes random.
type Fill = dyn Fn(&mut [u8]) + Send + Sync;

/// How tokens are made: by whoever holds the key and the randomness.
#[derive(Clone)]
pub struct Mint {
    /// Signs claims (a JSON object) as a JWT.
    pub sign: Arc<Sign>,
    /// Fills bytes with randomness.
    pub fill: Arc<Fill>,
}

impl fmt::Debug for Mint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Mint(..)")
    }
}

/// An opaque token that the reply shows, to be stored hashed.
#[derive(Clone, PartialEq, Eq)]
pub struct Minted {
    /// Its name in the contract.
    pub name: Arc<str>,
    /// The token itself.
    pub text: String,
    /// When it ends.
    pub expires_at: Timestamp,
}

impl fmt::Debug for Minted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Minted({}, ..)", self.name)
    }
}

/// What a refusal is about.
#[derive(Debug, Clone, Copy, Default)]
pub struct Scene<'s> {
    /// What could be read of the request.
    pub fields: Option<&'s Fields>,
    /// The complaints.
    pub errors: &'s [FieldError],
    /// Why the body could not be read.
    pub reason: &'s str,
    /// Seconds after which a try makes sense (`throttled`, `busy`); a header says so too.
    pub retry_after: Option<u64>,
}

/// An answer, ready to be sent.
#[derive(Debug, Clone, PartialEq)]
pub struct Reply {
    /// How the request ended.
    pub outcome: Outcome,
    /// 200 to 599.
    pub status: u16,
    /// In the contract's order.
    pub headers: Vec<(HeaderName, HeaderValue)>,
    /// Empty for an empty answer.
    pub body: String,
}

/// A reply that could not be written: its data did not fit what the file's proof and dry run allow.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[error("the {part} of `{outcome}` cannot be written: {reason}")]
pub struct EncodeError {
    /// The outcome.
    pub outcome: Outcome,
    /// `body`, `message`, a header or a token.
    pub part: String,
    /// What the template engine says.
    pub reason: String,
    /// The byte range in the part's template.
    pub(crate) at: std::ops::Range<usize>,
    /// Where that template stands in the contract file.
    pub(crate) origin: std::ops::Range<usize>,
}

impl Contract {
    /// Writes any outcome but `created`. Where the client's data is too much for the template (64 KiB of refused
    /// value, a list of a hundred thousand items), the same reply is written with the first error and without them:
    /// no request turns a 4xx into a 5xx.
    pub fn refusal(
        &self,
        outcome: &Outcome,
        scene: Scene<'_>,
        now: &Circumstances,
    ) -> Result<Reply, EncodeError> {
        self.refusal_with(outcome, scene, now).or_else(|error| {
            let Some(first) = scene.errors.first() else { return Err(error) };
            let first = [first.without_values()];
            self.refusal_with(outcome, Scene { fields: None, errors: &first, ..scene }, now)
        })
    }

    /// The same with all data, or an error.
    pub(super) fn refusal_with(
        &self,
        outcome: &Outcome,
        scene: Scene<'_>,
        now: &Circumstances,
    ) -> Result<Reply, EncodeError> {
        let template = self.register.reply(outcome);
        let mut reply = write(template, outcome, &refused_scene(self, outcome, scene, now)?)?;
        let said = reply.headers.iter().any(|(name, _)| *name == http::header::RETRY_AFTER);
        if let Some(seconds) = scene.retry_after.filter(|_| !said) {
            reply.headers.push((http::header::RETRY_AFTER, HeaderValue::from(seconds)));
        }
        Ok(reply)
    }

    /// Writes `created`, and tells which opaque tokens the reply shows. Where what the client sent beside its account
    /// is too much for the template, the reply is written without it.
    pub fn created(
        &self,
        fields: &Fields,
        registered: &Registered,
        mint: &Mint,
        now: &Circumstances,
    ) -> Result<(Reply, Vec<Minted>), EncodeError> {
        self.created_with(fields, registered, mint, now).or_else(|error| {
            let pairs = self.register.fields.iter().zip(&fields.inputs);
            let stored = pairs.map(|(field, input)| input.clone().filter(|_| field.into.is_some()));
            let bare = Fields { inputs: stored.collect(), body: Json::Null };
            self.created_with(&bare, registered, mint, now).map_err(|_| error)
        })
    }

    /// The same with all data, or an error.
    pub(super) fn created_with(
        &self,
        fields: &Fields,
        registered: &Registered,
        mint: &Mint,
        now: &Circumstances,
    ) -> Result<(Reply, Vec<Minted>), EncodeError> {
        let (scene, tokens) = created_scene(self, fields, registered, mint, now)?;
        let reply = write(self.register.reply(&Outcome::Created), &Outcome::Created, &scene)?;
        let shown = tokens.into_iter().filter(|(token, _)| matches!(token.make, Make::Random(_)));
        let minted = shown.filter_map(|(token, lazy)| {
            let text = lazy.made()?.as_str()?.to_owned();
            let lifetime = jiff::SignedDuration::from_secs(token.lifetime);
            Some(Minted {
                name: token.name.clone(),
                text,
                expires_at: now.now.saturating_add(lifetime).ok()?,
            })
        });
        Ok((reply, minted.collect()))
    }
}

/// Which of the names that cost something to make a reply's templates mention; for others they are not made.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sees {
    now: bool,
    random: bool,
    request: bool,
    input: bool,
}

impl Sees {
    pub(super) fn of(templates: &[&Template]) -> Sees {
        let mentioned = |name| templates.iter().any(|template| template.mentions(&[name]));
        Sees {
            now: mentioned("now"),
            random: mentioned("random"),
            request: mentioned("request"),
            input: mentioned("input"),
        }
    }
}

type Names = Vec<(Name, Value)>;
type Tokens<'o> = Vec<(&'o Token, Arc<Lazy>)>;

/// What the templates of a refusal see.
pub(super) fn refused_scene(
    contract: &Contract,
    outcome: &Outcome,
    scene: Scene<'_>,
    now: &Circumstances,
) -> Result<Value, EncodeError> {
    let operation = &contract.register;
    let mut names = always(operation, outcome, scene.fields, now);
    let errors: Vec<Value> = scene.errors.iter().map(error).collect();
    names.push(("errors".into(), Value::from(errors)));
    names.push(("reason".into(), Value::from(scene.reason)));
    names.push(("retry_after".into(), Value::from(scene.retry_after.unwrap_or_default())));
    with_message(operation.reply(outcome), outcome, names)
}

/// What the templates of `created` see, and the tokens among it.
pub(super) fn created_scene<'o>(
    contract: &'o Contract,
    fields: &Fields,
    registered: &Registered,
    mint: &Mint,
    now: &Circumstances,
) -> Result<(Value, Tokens<'o>), EncodeError> {
    let operation = &contract.register;
    let user = user(operation, fields, registered);
    let tokens = tokens(operation, fields, &user, mint, now)?;
    let members =
        tokens.iter().map(|(t, lazy)| (t.name.clone().into(), Value::from_dyn_object(lazy.clone())));
    let mut names = always(operation, &Outcome::Created, Some(fields), now);
    names.push(("tokens".into(), Room::value("tokens", members.collect())));
    names.push(("user".into(), user));
    let scene = with_message(operation.reply(&Outcome::Created), &Outcome::Created, names)?;
    Ok((scene, tokens))
}

/// The names that every outcome sees.
fn always(operation: &Operation, outcome: &Outcome, fields: Option<&Fields>, now: &Circumstances) -> Names {
    let ReplyTemplate { status, sees, .. } = *operation.reply(outcome);
    let mut names: Names = vec![
        ("status".into(), Value::from(status)),
        ("phrase".into(), Value::from(phrase(status))),
        ("outcome".into(), Value::from(outcome.name())),
    ];
    if sees.now {
        names.push(("now".into(), Time::value(now.now)));
    }
    if sees.random {
        names.push(("random".into(), now.random()));
    }
    if sees.request {
        names.push(("request".into(), request(operation, fields, now)));
    }
    if sees.input {
        names.push(("input".into(), shown_inputs(operation, fields)));
    }
    names
}

fn request(operation: &Operation, fields: Option<&Fields>, now: &Circumstances) -> Value {
    let body = match fields {
        Some(fields) if operation.echoes_body => from_json(&echo(operation, &fields.body)),
        _ => Value::from_pairs(std::iter::empty::<(&str, Value)>()),
    };
    let members = vec![
        ("id".into(), Value::from(&*now.request_id)),
        ("path".into(), Value::from(&*now.path)),
        ("base_url".into(), Value::from(&*now.base_url)),
        ("body".into(), body),
    ];
    Room::value("request", members)
}

/// `e.value` is undefined when nothing was sent, and null when it is a secret.
fn error(error: &FieldError) -> Value {
    let value =
        error.value.as_ref().map_or_else(|| if error.sent { Value::from(()) } else { seen(None) }, from_json);
    Room::value(
        "an error",
        vec![
            ("field".into(), Value::from(&*error.field)),
            ("code".into(), from_json(&error.code)),
            ("message".into(), Value::from(error.message.as_str())),
            ("limit".into(), from_json(&error.limit)),
            ("value".into(), value),
        ],
    )
}

fn user(operation: &Operation, fields: &Fields, registered: &Registered) -> Value {
    let mut members: Names = vec![
        ("id".into(), from_json(&registered.id)),
        ("created_at".into(), Time::value(registered.at)),
        ("updated_at".into(), Time::value(registered.at)),
    ];
    let mut extra: Names = Vec::new();
    for field in &operation.fields {
        match &field.into {
            None | Some(Meaning::Password | Meaning::Id) => {}
            Some(meaning @ Meaning::Extra(name)) => {
                extra
                    .push((Arc::<str>::from(name.as_str()).into(), stored_value(operation, fields, meaning)));
            }
            Some(meaning) => {
                members.push((
                    Arc::<str>::from(meaning.to_string()).into(),
                    stored_value(operation, fields, meaning),
                ));
            }
        }
    }
    if let Some(digest) = &registered.password_sha256 {
        members.push(("password_sha256".into(), Value::from(digest.as_str())));
    }
    members.push(("extra".into(), Room::value("user.extra", extra)));
    Room::value("user", members)
}

/// The tokens, each made when it is first written. Claims are rendered now, because they can fail.
fn tokens<'o>(
    operation: &'o Operation,
    fields: &Fields,
    user: &Value,
    mint: &Mint,
    now: &Circumstances,
) -> Result<Tokens<'o>, EncodeError> {
    let mut out = Vec::with_capacity(operation.tokens.len());
    for token in &operation.tokens {
        let lazy = match &token.make {
            Make::Random(recipe) => {
                let (recipe, fill) = (recipe.clone(), mint.fill.clone());
                Lazy::new(Some(token.lifetime), move || Value::from(recipe.make(&mut |bytes| fill(bytes))))
            }
            Make::Claims(template) => {
                let part = || format!("token `{}`", token.name);
                let written = template
                    .render(&claims(operation, fields, user, now))
                    .map_err(|e| failed(&Outcome::Created, part(), e, template.origin()))?;
                let claims = timed(&written, now.now.as_second(), token.lifetime);
                let sign = mint.sign.clone();
                Lazy::new(Some(token.lifetime), move || Value::from(sign(&claims)))
            }
        };
        out.push((token, lazy));
    }
    Ok(out)
}

/// What a token's claims see.
pub(super) fn claims_scene(
    operation: &Operation,
    fields: &Fields,
    registered: &Registered,
    now: &Circumstances,
) -> Value {
    claims(operation, fields, &user(operation, fields, registered), now)
}

fn claims(operation: &Operation, fields: &Fields, user: &Value, now: &Circumstances) -> Value {
    Room::value(
        "claims",
        vec![
            ("user".into(), user.clone()),
            ("now".into(), Time::value(now.now)),
            ("random".into(), now.random()),
            ("input".into(), shown_inputs(operation, Some(fields))),
        ],
    )
}

/// Appends `iat` and `exp` (RFC 7519 section 4.1) to a compact JSON object.
pub(super) fn timed(claims: &str, now: i64, lifetime: i64) -> String {
    let open = claims.strip_suffix('}').unwrap_or("{");
    let comma = if open.len() > 1 { "," } else { "" };
    format!("{open}{comma}\"iat\":{now},\"exp\":{}}}", now + lifetime)
}

/// The outcome's message is a template too; the other templates see it as `message`.
fn with_message(template: &ReplyTemplate, outcome: &Outcome, mut names: Names) -> Result<Value, EncodeError> {
    let message = &template.message;
    let text = match message.literal() {
        Some(text) => Value::from(text),
        None => message
            .render(&Room::value("everything", names.clone()))
            .map(Value::from)
            .map_err(|e| failed(outcome, "message".to_owned(), e, message.origin()))?,
    };
    names.push(("message".into(), text));
    Ok(Room::value("everything", names))
}

fn write(template: &ReplyTemplate, outcome: &Outcome, scene: &Value) -> Result<Reply, EncodeError> {
    let mut headers = Vec::with_capacity(template.headers.len() + 1);
    for (name, value) in &template.headers {
        let at = |e| failed(outcome, format!("header {name}"), e, value.origin());
        let text = value.literal().map_or_else(|| value.render(scene).map(Cow::from), |text| Ok(text.into()));
        let checked =
            HeaderValue::from_str(&text.map_err(at)?).map_err(|_| at(RenderError::not_a_header(value)))?;
        headers.push((name.clone(), checked));
    }
    let body = template
        .body
        .render(scene)
        .map_err(|e| failed(outcome, "body".to_owned(), e, template.body.origin()))?;
    Ok(Reply { outcome: outcome.clone(), status: template.status, headers, body })
}

fn failed(
    outcome: &Outcome,
    part: String,
    error: RenderError,
    origin: std::ops::Range<usize>,
) -> EncodeError {
    EncodeError { outcome: outcome.clone(), part, reason: error.what, at: error.at, origin }
}
