//! The flags of `contract try` that say what to send, which are those of curl, and the request they come to.

use std::io::Read;

use anyhow::{Context, anyhow, bail};
use bytes::Bytes;
use clap::Args;
use http::header::{CONTENT_TYPE, COOKIE, HeaderMap, HeaderName, HeaderValue};

use crate::contract::{Contract, Example, Media, example_request};

/// Separates the parts of a multipart body. A try repeats itself, so it is always the same.
const BOUNDARY: &str = "------------------------vestibule";

#[derive(Args, Debug)]
#[command(next_help_heading = "Request, as for curl")]
pub(super) struct RequestArgs {
    /// The body; @FILE and @- read it from a file or standard input, byte for byte. Several are joined with &
    #[arg(short, long, value_name = "BODY", allow_hyphen_values = true)]
    data: Vec<String>,
    /// One pair of a form, percent-encoded for you; also NAME@FILE
    #[arg(long, value_name = "NAME=VALUE", conflicts_with = "form")]
    data_urlencode: Vec<String>,
    /// One part of a multipart form; NAME=@FILE is a file
    #[arg(short = 'F', long, value_name = "NAME=VALUE", conflicts_with = "data")]
    form: Vec<String>,
    /// A header
    #[arg(short = 'H', long = "header", value_name = "NAME: VALUE")]
    headers: Vec<String>,
    /// More of the query string; what the contract's path asks for is always there
    #[arg(long, value_name = "A=B")]
    query: Vec<String>,
}

/// A request to a contract.
pub(super) struct TryRequest {
    /// Whether the contract's own example is sent.
    pub(super) is_example: bool,
    pub(super) query: Option<String>,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
}

impl RequestArgs {
    /// The request that the flags describe; the contract's own example, when they say nothing about a body.
    pub(super) fn request(&self, contract: &Contract) -> anyhow::Result<TryRequest> {
        let is_example = self.data.is_empty() && self.data_urlencode.is_empty() && self.form.is_empty();
        let mut headers = HeaderMap::new();
        let mut query = Vec::new();
        let body = if is_example {
            let example = example_request(contract);
            headers = example_headers(&example)?;
            query.push(example.query_string());
            Bytes::from(example.body)
        } else {
            let own = contract.register.path_and_query();
            query.extend(own.split_once('?').map(|(_, query)| query.to_owned()));
            let (body, media) = self.body(contract)?;
            if let Some(media) = media {
                headers.insert(CONTENT_TYPE, HeaderValue::try_from(content_type(media))?);
            }
            body
        };
        for (i, text) in self.headers.iter().enumerate() {
            let (name, value) = header(text)?;
            // What is said replaces what is assumed; said twice, it is sent twice.
            let again = self.headers[..i].iter().any(|t| header(t).is_ok_and(|(n, _)| n == name));
            if again {
                headers.append(name, value)
            } else {
                headers.insert(name, value).is_some()
            };
        }
        query.extend(self.query.iter().cloned());
        query.retain(|pairs| !pairs.is_empty());
        let query = (!query.is_empty()).then(|| query.join("&"));
        Ok(TryRequest { is_example, query, headers, body })
    }

    fn body(&self, contract: &Contract) -> anyhow::Result<(Bytes, Option<Media>)> {
        if !self.form.is_empty() {
            return Ok((multipart(&self.form)?, Some(Media::Multipart)));
        }
        let mut parts = self.data.iter().map(|text| data(text)).collect::<anyhow::Result<Vec<_>>>()?;
        for text in &self.data_urlencode {
            parts.push(urlencoded(text)?.into_bytes());
        }
        let body = Bytes::from(parts.join(&b'&'));
        let media = match self.data_urlencode.is_empty() {
            true => assumed(contract, &body),
            false => Some(Media::Form),
        };
        Ok((body, media))
    }
}

fn content_type(media: Media) -> String {
    match media {
        Media::Multipart => format!("{}; boundary={BOUNDARY}", media.content_type()),
        _ => media.content_type().to_owned(),
    }
}

fn example_headers(example: &Example) -> anyhow::Result<HeaderMap> {
    let mut out = HeaderMap::new();
    out.insert(CONTENT_TYPE, HeaderValue::from_str(&example.content_type)?);
    for (name, value) in &example.headers {
        out.append(name, HeaderValue::from_str(value)?);
    }
    if let Some(cookie) = example.cookie() {
        out.insert(COOKIE, HeaderValue::from_str(&cookie)?);
    }
    Ok(out)
}

/// The media type of a body that nobody named: JSON if it begins like JSON and the contract reads that, else what the
/// contract reads. An empty body has none.
fn assumed(contract: &Contract, body: &[u8]) -> Option<Media> {
    let accepts = &contract.register.accepts;
    let json = body.trim_ascii_start().starts_with(b"{");
    let first = accepts.iter().find(|media| (**media == Media::Json) == json).or(accepts.first());
    first.copied().filter(|_| !body.is_empty())
}

fn data(text: &str) -> anyhow::Result<Vec<u8>> {
    match text.strip_prefix('@') {
        Some("-") => {
            let mut body = Vec::new();
            std::io::stdin().lock().read_to_end(&mut body).context("cannot read standard input")?;
            Ok(body)
        }
        Some(file) => std::fs::read(file).with_context(|| format!("cannot read {file}")),
        None => Ok(text.as_bytes().to_vec()),
    }
}

fn urlencoded(text: &str) -> anyhow::Result<String> {
    let (name, value) = match (text.find('='), text.find('@')) {
        (Some(equals), at) if at.is_none_or(|at| equals < at) => {
            (&text[..equals], text[equals + 1..].to_owned())
        }
        (_, Some(at)) => {
            let file = &text[at + 1..];
            (&text[..at], std::fs::read_to_string(file).with_context(|| format!("cannot read {file}"))?)
        }
        _ => bail!("--data-urlencode {text}: write NAME=VALUE"),
    };
    Ok(form_urlencoded::Serializer::new(String::new()).append_pair(name, &value).finish())
}

fn multipart(parts: &[String]) -> anyhow::Result<Bytes> {
    let mut out = Vec::new();
    for text in parts {
        let (name, value) = text.split_once('=').ok_or_else(|| anyhow!("-F {text}: write NAME=VALUE"))?;
        let name = name.replace('"', "%22");
        let head = format!("--{BOUNDARY}\r\nContent-Disposition: form-data; name=\"{name}\"");
        out.extend_from_slice(head.as_bytes());
        match value.strip_prefix('@') {
            Some(file) => {
                let bytes = std::fs::read(file).with_context(|| format!("cannot read {file}"))?;
                out.extend_from_slice(
                    b"; filename=\"file\"\r\nContent-Type: application/octet-stream\r\n\r\n",
                );
                out.extend(bytes);
            }
            None => {
                out.extend_from_slice(b"\r\n\r\n");
                out.extend_from_slice(value.as_bytes());
            }
        }
        out.extend_from_slice(b"\r\n");
    }
    out.extend_from_slice(format!("--{BOUNDARY}--\r\n").as_bytes());
    Ok(Bytes::from(out))
}

fn header(text: &str) -> anyhow::Result<(HeaderName, HeaderValue)> {
    let (name, value) = text.split_once(':').ok_or_else(|| anyhow!("-H {text}: write 'Name: value'"))?;
    let name = name.trim().parse().with_context(|| format!("-H {text}: this is not a header name"))?;
    let value = HeaderValue::from_str(value.trim())
        .with_context(|| format!("-H {text}: this is not a header value"))?;
    Ok((name, value))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::contract::{SHIPPED, load};

    fn nothing() -> RequestArgs {
        RequestArgs {
            data: Vec::new(),
            data_urlencode: Vec::new(),
            form: Vec::new(),
            headers: Vec::new(),
            query: Vec::new(),
        }
    }

    fn contract(accepts: &str) -> Contract {
        let text = SHIPPED[1].text.replacen("path   =", &format!("accepts = [{accepts}]\npath ="), 1);
        load(&text).contract.expect("it stays a contract")
    }

    fn sent(args: &RequestArgs, contract: &Contract) -> (Option<String>, String) {
        let request = args.request(contract).expect("a request");
        let media = request.headers.get(CONTENT_TYPE).map(|v| v.to_str().expect("ASCII").to_owned());
        (media, String::from_utf8(request.body.to_vec()).expect("UTF-8"))
    }

    #[test]
    fn the_media_type_is_what_the_contract_reads_unless_a_header_says_otherwise() {
        let both = contract("\"form\", \"json\"");
        let json = RequestArgs { data: vec![" {}".into()], ..nothing() };
        let form = RequestArgs { data: vec!["a=b".into(), "c=d".into()], ..nothing() };
        assert_eq!(sent(&json, &both).0.as_deref(), Some("application/json"));
        assert_eq!(sent(&form, &both), (Some("application/x-www-form-urlencoded".into()), "a=b&c=d".into()));
        assert_eq!(sent(&form, &contract("\"json\"")).0.as_deref(), Some("application/json"));
        let text = RequestArgs { headers: vec!["content-type: text/xml".into()], ..json };
        assert_eq!(sent(&text, &both).0.as_deref(), Some("text/xml"));
        assert_eq!(sent(&RequestArgs { data: vec![String::new()], ..nothing() }, &both).0, None);
    }

    #[test]
    fn without_a_body_the_example_is_sent() {
        let express = crate::contract::shipped("express").expect("it is shipped");
        let request =
            RequestArgs { query: vec!["a=b".into()], ..nothing() }.request(&express).expect("a request");
        assert!(
            request.is_example && request.body.starts_with(b"{") && request.query.as_deref() == Some("a=b")
        );
        let empty =
            RequestArgs { data: vec![String::new()], ..nothing() }.request(&express).expect("a request");
        assert!(!empty.is_example && empty.body.is_empty());
    }

    #[test]
    fn forms_are_encoded() {
        let form = RequestArgs { data_urlencode: vec!["e=a@b c".into(), "n=é".into()], ..nothing() };
        assert_eq!(sent(&form, &contract("\"form\"")).1, "e=a%40b+c&n=%C3%A9");
        let parts = RequestArgs { form: vec!["a=1".into()], ..nothing() };
        let (media, body) = sent(&parts, &contract("\"multipart\""));
        assert!(media.is_some_and(|m| m.starts_with("multipart/form-data; boundary=")));
        assert!(body.contains("name=\"a\"\r\n\r\n1\r\n--"));
        for bad in ["x", "é: 1"] {
            assert!(
                RequestArgs { headers: vec![bad.into()], ..nothing() }
                    .request(&contract("\"form\""))
                    .is_err()
            );
        }
    }
}
