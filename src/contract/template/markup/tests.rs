//! What is let through, what is refused; and a browser's parser as a second opinion.

use super::*;
use crate::contract::template::fuzz::Random;
use crate::contract::template::write::escaped;
use html5ever::tendril::TendrilSink as _;
use html5ever::tree_builder::TreeBuilderOpts;
use html5ever::{ParseOpts, parse_document};
use markup5ever_rcdom::{Handle, NodeData, RcDom};
use url::Url;

/// Reads a page in which each `§` is a value.
fn read(mut page: Page, text: &str) -> Result<(), Fault> {
    for (i, part) in text.split('§').enumerate() {
        if i > 0 {
            page.hole()?;
        }
        part.bytes().try_for_each(|byte| page.step(byte))?;
    }
    Ok(())
}

#[test]
fn values_stand_in_text_and_quoted_attributes() {
    for page in [
        "§",
        "<p>§</p>",
        "a < § and <3 §",
        "<a title=\"§\" class='a § b'>§</a>",
        "<input value = \"§\"/>§<br>§",
        "<a href='/users/§'> <a href='https://example.com/§'> <a href='mailto:§'> <a href='?§'> <a href='#§'>",
        "<a href='/u§'> <a href='users/§'> <a href='//example.com?§'> <a href='/u?a=1&amp;b=§'>",
        "<!doctype html><title>§ < 3 §</title><textarea>§</textarea>",
        "<!-- a --><p>§ <!----> § <!-- -> --!> § <!--> § <!---> §",
        "<script src='/a.js'></script>§<style>p { }</style >§",
        "<SCRIPT>if (a < b) { '</scrip' }</Script>§",
        "<scripts>§<noscript>§</noscript>",
        "<meta name='x'>§</p ='>§",
        "<svg><title>§</title><path d='M0 0'/></svg>§<textarea>§</textarea><script src='/a.js'></script>§",
        "<script>//<![CDATA[\nif (a<s) b()\n//]]></script>§<style><!-- p { } --></style>§",
        "<script><!--\nf()\n//--></script>§<!--[if IE]><b><![endif]-->§<![if !IE]>§<![endif]>",
        "<noscript><iframe src='https://example.com/'></iframe><img src='/a'></noscript>§",
        "<x:title><b title='§'></x:title>",
        "<svg><path d='M0 0'/></svg><svg/>§<textarea>§</textarea><script></script>§",
        "<select><option value='§' selected>§</option></select><textarea>§</textarea>§",
    ] {
        read(Page::html(), page).unwrap_or_else(|fault| panic!("{page}: {fault}"));
    }
}

#[test]
fn values_stand_nowhere_else() {
    for (page, fault) in [
        ("<a title=§>", "quotes"),
        ("<a title=x§>", "quotes"),
        ("<a title= §", "quotes"),
        ("<§>", "not in a tag"),
        ("</§>", "not in a tag"),
        ("</p§>", "not in a tag"),
        ("</title§>", "not in a tag"),
        ("<title></tit§le>", "not in a tag"),
        ("<a§>", "not in a tag"),
        ("<a §>", "not in a tag"),
        ("<a b§>", "not in a tag"),
        ("<a b §>", "not in a tag"),
        ("<a b='' §>", "not in a tag"),
        ("<script>§</script>", "code"),
        ("<SCRIPT type='x' async>'§'", "code"),
        ("<script/>§", "code"),
        ("<script></scripts>§", "code"),
        ("<script><</ script>§", "code"),
        ("<style>p { color: § }</style>", "code"),
        ("<script><!-- <script></script>§", "`<!--` and another"),
        ("<x:title><a onclick='§'></title>", "does what"),
        ("<svg><p><title><!--</title><script>-->§</script>", "a comment stands in"),
        ("<svg><desc><title><!--</title><script>-->§</script>", "a comment stands in"),
        ("<frameset><title><frame src='§'></title>", "behind the host"),
        ("<frameset><style><frame onload='</style>§'>", "SVG, MathML"),
        ("<template><col><title></template><a onclick='§'></title>", "does what"),
        ("<template><col><style></template><a onclick='</style>§'>", "SVG, MathML"),
        ("<title><a title='</title>§'>", "a tag stands in"),
        ("<noscript><!-- </noscript> --> §", "a comment stands in"),
        ("<noscript><textarea><b></textarea></noscript>§", "a tag stands in"),
        ("<p onclick='§'>", "does what"),
        ("<p ONLOAD = \"f('§')\">", "does what"),
        ("<p style='color:§'>", "does what"),
        ("<iframe srcdoc='§'>", "does what"),
        ("<img srcset='/a §'>", "does what"),
        ("<link imagesrcset='/a §'>", "does what"),
        ("<meta http-equiv=refresh content='0;url=/§'>", "does what"),
        ("<script src='/i18n/§.js'>", "does what"),
        ("<link rel=stylesheet href='/§'>", "does what"),
        ("<svg><animate attributeName='href' values='§'>", "does what"),
        ("<svg><set to='§'>", "does what"),
        ("<a href='§'>", "behind the host"),
        ("<a href=' java§'>", "behind the host"),
        ("<a href='/§'>", "behind the host"),
        ("<a href='https:§'>", "behind the host"),
        ("<a href='https:/§'>", "behind the host"),
        ("<a href='https:///§'>", "behind the host"),
        ("<a href='https://§/'>", "behind the host"),
        ("<a href='https://example.com§'>", "behind the host"),
        ("<a href='https:example.com§'>", "behind the host"),
        ("<a href='\\/§'>", "behind the host"),
        ("<a href='///§'>", "behind the host"),
        ("<a href='/\n/§'>", "behind the host"),
        ("<a href='JavaScript:§'>", "behind the host"),
        ("<a href='java\nscript:§'>", "behind the host"),
        ("<a href='&#x2F;§'>", "does what"),
        ("<a href='&#106;avascript:§'>", "does what"),
        ("<svg><a xlink:href=\"§\">", "behind the host"),
        ("<button formaction='§'>", "behind the host"),
        ("<!doctype §>", "declaration"),
        ("<!§", "declaration"),
        ("<?xml §?>", "declaration"),
        ("<!-- § -->", "comment"),
        ("<!--!> §", "comment"),
        ("<!-- --!-> §", "comment"),
        ("<a title='<'>§", "in quotes before"),
        ("<svg><style></style>§", "SVG, MathML"),
        ("<svg><![CDATA[>§", "CDATA"),
        ("<svg><svg></svg><script></script>§", "SVG, MathML"),
        ("<svg></math><style></style>§", "SVG, MathML"),
        ("<svg><foreignObject><div></svg></div></foreignObject><style></style>§", "SVG, MathML"),
        ("<select><style></style>§", "in a <select>"),
    ] {
        let found = read(Page::html(), page).expect_err(page);
        assert!(found.contains(fault), "{page}: {found}");
    }
}

#[test]
fn in_xml_names_mean_something_where_browsers_know_them() {
    let read = |text: &str| read(Page::xml(text), text);
    for text in [
        "<?xml version='1.0'?>\n<e v='§'>§</e>",
        "<user onboarded='§' action=\"§\" data='§'><style>§</style></user>",
        "<é v='§'/>§<!-- --!> --><![CDATA[>]]]>§<?a > ?>§",
        "<a xmlns:i='http://www.w3.org/2001/XMLSchema-instance' onHold='§'><param v='§'/></a>",
        "<svg xmlns='http://www.w3.org/2000/svg'><title>§</title><style/><text x='§'>§</text></svg>",
    ] {
        read(text).unwrap_or_else(|fault| panic!("{text}: {fault}"));
    }
    for text in [
        "<e v=§>",
        "<é v=§>",
        "<e §>",
        "<§>",
        "<!-- § -->",
        "<!-- --!> § -->",
        "<?xml > §?>",
        "<![CDATA[§]]>",
        "<!DOCTYPE a [ <!ENTITY b '>'> §",
        "<html xmlns='http://www.w3.org/1999/xhtml'><script>§</script>",
        "<html xmlns='http://www.w3.org/1999/xhtml'><a href='§'/>",
        "<a xmlns:h='http://www.w3.org/1999/xhtml'><h:script>§</h:script></a>",
        "<svg xmlns='http://www.w3.org/2000/svg'><a onclick='§'/></svg>",
        "<svg xmlns:x='http://www.w3.org/2000/svg' xmlns:h='§'>",
    ] {
        read(text).expect_err(text);
    }
}

#[test]
fn a_text_that_the_template_writes_is_escaped_like_others() {
    let mut page = Page::html();
    "<a title=".bytes().try_for_each(|byte| page.step(byte)).unwrap();
    page.constant("\"").unwrap();
    page.hole().expect_err("no quotes stand there");
}

/// Pieces of pages of which most pages with surprises are made.
const PIECES: [&str; 89] = [
    "§",
    "§",
    "§",
    "§",
    "<p>",
    "</p>",
    "<b ",
    "<a href=\"",
    "<a href='",
    "<a title='",
    "<p class=\"",
    "\"",
    "\"",
    "'",
    "'",
    ">",
    ">",
    " ",
    "=",
    "x=",
    "onclick='",
    "style='",
    "/",
    "//",
    "https://",
    "https:",
    "mailto:",
    "javascript:",
    "a.example",
    "u",
    "?",
    "#",
    ":",
    "\\",
    "\n",
    "&#x2F;",
    "&",
    ";",
    "<",
    "</",
    "</ax='",
    "/>",
    "<!--",
    "-->",
    "--!>",
    "-",
    "!",
    "<!",
    "<!doctype html>",
    "<?",
    "<![CDATA[",
    "]]>",
    "<script>",
    "</script>",
    "<style>",
    "</style>",
    "<title>",
    "</title>",
    "<textarea>",
    "</textarea>",
    "<xmp>",
    "</xmp>",
    "<noscript>",
    "</noscript>",
    "<svg>",
    "</svg>",
    "<math>",
    "</math>",
    "<svg/>",
    "<foreignObject>",
    "</foreignObject>",
    "<div>",
    "</div>",
    "<desc>",
    "<mi>",
    "<table>",
    "<td>",
    "<x:title>",
    "<frameset>",
    "<frame src='",
    "<template>",
    "</template>",
    "<col>",
    "<![if !IE]>",
    "<select>",
    "</select>",
    "<iframe src='",
    "<img srcset='",
    "<meta content='",
];

/// What has broken out of pages elsewhere.
const VALUES: [&str; 14] = [
    "\"'><script>alert(1)</script>",
    "x onmouseover=alert(1) y=",
    "javascript:alert(1)",
    "//evil.example",
    "/evil.example/",
    "@evil.example",
    ".evil.example/",
    "-->",
    "--!>",
    "]]>",
    "`",
    "\\",
    "=",
    "/title>",
];

/// A value of which nobody expects anything.
const PLAIN: &str = "v";

/// All that a browser makes of a page but texts: its elements with their attributes, the hosts of links, what is obeyed.
fn seen(page: &str, scripts: bool) -> Vec<String> {
    let tree_builder = TreeBuilderOpts { scripting_enabled: scripts, ..TreeBuilderOpts::default() };
    let options = ParseOpts { tree_builder, ..ParseOpts::default() };
    let dom = parse_document(RcDom::default(), options).one(page);
    let mut out = Vec::new();
    walk(&dom.document, &mut out);
    out
}

fn walk(node: &Handle, out: &mut Vec<String>) {
    match &node.data {
        NodeData::Element { name, attrs, template_contents, .. } => {
            out.push(format!("<{}", name.local));
            for attribute in attrs.borrow().iter() {
                out.push(format!(
                    " {}{}",
                    attribute.name.local,
                    meant(&name.local, &attribute.name.local, &attribute.value)
                ));
            }
            if let Some(contents) = template_contents.borrow().as_ref() {
                walk(contents, out);
            }
            let code = ["script", "style", "xmp", "iframe", "noembed", "noframes", "plaintext"];
            if code.contains(&&*name.local) {
                out.extend(node.children.borrow().iter().map(|child| format!("{:?}", child.data)));
            }
        }
        NodeData::Comment { contents } => out.push(format!("<!--{contents}-->")),
        _ => {}
    }
    node.children.borrow().iter().for_each(|child| walk(child, out));
}

/// What an attribute of this name does beside being shown.
fn meant(element: &str, name: &str, value: &str) -> String {
    match name {
        "content" if element != "meta" => String::new(),
        "href" | "src" => {
            let base = Url::parse("https://accounts.example/sign/up").expect("a base");
            match base.join(value) {
                _ if value.trim().starts_with("mailto:") => "=mailto".to_owned(),
                Ok(url) => format!("={}://{:?}", url.scheme(), url.host_str()),
                Err(_) => "=nowhere".to_owned(),
            }
        }
        "srcset" | "style" | "content" => format!("={value}"),
        name if name.starts_with("on") => format!("={value}"),
        _ => String::new(),
    }
}

fn filled(template: &str, mut value: impl FnMut() -> &'static str) -> String {
    let mut out = String::new();
    for (i, part) in template.split('§').enumerate() {
        if i > 0 {
            out.push_str(&escaped(value()));
        }
        out.push_str(part);
    }
    out
}

/// Adds random pieces, but for those that are refused.
fn grown(dice: &mut Random) -> String {
    let mut template = String::new();
    let mut page = Page::html();
    for _ in 0..8 + dice.below(24) {
        let piece = PIECES[dice.below(PIECES.len())];
        let mut next = page;
        let taken = match piece {
            "§" => next.hole(),
            text => text.bytes().try_for_each(|byte| next.step(byte)),
        };
        if taken.is_ok() {
            page = next;
            template.push_str(piece);
        }
    }
    template
}

/// Random pages: whatever is let through, no value changes anything but texts, as html5ever and the crate `url` read it.
#[test]
fn what_is_let_through_is_text_to_a_browser() {
    let mut dice = Random(0x9e37_79b9_7f4a_7c15);
    for _ in 0..10_000 {
        let template = grown(&mut dice);
        assert_eq!(read(Page::html(), &template), Ok(()), "{template:?}");
        let plain = filled(&template, || PLAIN);
        let hostile = filled(&template, || VALUES[dice.below(VALUES.len())]);
        for scripts in [true, false] {
            assert_eq!(seen(&hostile, scripts), seen(&plain, scripts), "{template:?} with {hostile:?}");
        }
    }
}
