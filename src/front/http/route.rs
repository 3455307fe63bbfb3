//! One request → one response: the guard, then the path and the method.
//!
//! What a message means is not decided here.

use crate::auth::caller::Caller;
use crate::auth::inbound::Pass;
use crate::front::admin;
use crate::front::http::cors;
use crate::front::http::intake;
use crate::front::http::lease::Lease;
use crate::front::http::legacy;
use crate::front::http::media;
use crate::front::http::modern;
use crate::front::http::place;
use crate::front::http::place::Place;
use crate::front::http::reply;
use crate::front::http::reply::Refusal;
use crate::front::http::reply::Reply;
use crate::front::http::site::Site;
use crate::front::http::sse;
use crate::front::http::switch::Switch;
use crate::front::http::waiting::Begun;
use crate::front::http::watched;
use crate::front::http::watched::Asked;
use crate::gateway::reply::Failure;
use crate::wire::batch;
use crate::wire::message;
use crate::wire::message::Message;
use crate::wire::scan;
use http::HeaderMap;
use http::HeaderValue;
use http::Method;
use http::Request;
use http::StatusCode;
use http::header::CONNECTION;
use hyper::body::Incoming;
use std::net::SocketAddr;
use std::sync::Arc;

/// Answers one request from `peer`. Whether something else than HTTP follows, `switch` says.
pub async fn answer(
    site: Arc<Site>,
    peer: SocketAddr,
    switch: Arc<Switch>,
    request: Request<Incoming>,
) -> Reply {
    let found = place::at(request.uri().path());
    let asked = Asked::of(&site, &request, found.map(|(path, _)| path), peer);
    let exposed_to = match site.guard.admits(request.uri(), request.headers()) {
        Ok(origin) => origin.cloned(),
        Err(refusal) => {
            watched::note(&site, &asked, &refusal);
            return refusal.into_reply();
        }
    };
    let mut reply = if exposed_to.is_some() && cors::is_preflight(request.method(), request.headers()) {
        cors::preflight(request.headers())
    } else {
        let reply = routed(&site, peer, &switch, found.map(|(_, place)| place), request).await;
        reply.inspect_err(|refusal| watched::note(&site, &asked, refusal)).unwrap_or_else(Refusal::into_reply)
    };
    if let Some(origin) = exposed_to {
        cors::expose(&mut reply, origin);
    }
    if site.is_ending() {
        reply.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    }
    reply
}

async fn routed(
    site: &Site,
    peer: SocketAddr,
    switch: &Switch,
    place: Option<Place>,
    mut request: Request<Incoming>,
) -> Result<Reply, Refusal> {
    let path = request.uri().path();
    let shows_pages = site.admin && peer.ip().to_canonical().is_loopback() && place == Some(Place::Page);
    if shows_pages && admin::is_open(path) {
        return page(site, &request);
    }
    if let Some(description) = site.door.description(request.method(), path, request.headers()) {
        return description;
    }
    let pass = site.door.admit(request.headers(), peer).await?;
    let lease = || site.door.lease(&pass);
    let caller = pass.caller.clone();
    if shows_pages {
        if !site.backing.is_admin(&caller) {
            let why = "the state of the gateway is for callers with the level `admin` (`gateway.access`)";
            return Err(Refusal::new(StatusCode::FORBIDDEN, why).by(caller));
        }
        return page(site, &request);
    }
    match place {
        Some(Place::Endpoint) => {}
        Some(Place::Events | Place::Socket) if site.is_ending() => return Err(Refusal::ending()),
        Some(Place::Events) if site.sse => {
            return Ok(lasting(sse::open(site, caller, &request)?, lease()));
        }
        Some(Place::Messages) if site.sse => return sse::post(site, &caller, request).await,
        Some(Place::Socket) if site.websocket => return switch.ask(caller, lease(), &mut request),
        _ => {
            return Err(Refusal::new(StatusCode::NOT_FOUND, "there is nothing here; the endpoint is `/mcp`"));
        }
    }
    match *request.method() {
        Method::POST => post(site, pass, request).await,
        Method::GET => Ok(lasting(legacy::listen(site, &caller, request.headers())?, lease())),
        Method::DELETE => legacy::end(site, &caller, request.headers()),
        _ => Err(Refusal::method("GET, POST, DELETE")),
    }
}

/// A stream that ends with the credential it was asked for with.
fn lasting(mut reply: Reply, lease: Option<Lease>) -> Reply {
    if let Some(lease) = lease {
        reply.body_mut().lasts_while(lease);
    }
    reply
}

fn page(site: &Site, request: &Request<Incoming>) -> Result<Reply, Refusal> {
    if !matches!(*request.method(), Method::GET | Method::HEAD) {
        return Err(Refusal::method("GET, HEAD"));
    }
    let ending = site.is_ending().then_some("the gateway is shutting down");
    let unready = site.backing.unready().or(ending);
    let page = admin::page(request.uri().path(), unready, || site.backing.status());
    let page = page.ok_or_else(|| Refusal::new(StatusCode::NOT_FOUND, "there is no such page"))?;
    let status = if page.unavailable { StatusCode::SERVICE_UNAVAILABLE } else { StatusCode::OK };
    Ok(reply::page(status, page.text.into_bytes()))
}

async fn post(site: &Site, pass: Pass, request: Request<Incoming>) -> Result<Reply, Refusal> {
    media::check_post(request.headers())?;
    let (parts, body) = request.into_parts();
    let body = intake::whole(body, site.allowance).await?;
    let begun = begin(site, pass.caller.clone(), &parts.headers, &body)?;
    // The answer may take long; the question is not kept that long.
    drop((parts, body));
    match begun {
        Begun::Done(reply) => Ok(reply),
        Begun::Waits(waiting) if waiting.lasts => Ok(lasting(waiting.reply().await, site.door.lease(&pass))),
        Begun::Waits(waiting) => Ok(waiting.reply().await),
    }
}

fn begin(site: &Site, caller: Caller, headers: &HeaderMap, body: &[u8]) -> Result<Begun, Refusal> {
    let body = body.trim_ascii();
    if batch::is_batch(body) {
        return legacy::begin_batch(site, &caller, headers, body);
    }
    let message = parse(body, site.depth)?;
    if memchr::memchr2(b'\n', b'\r', body).is_none() {
        return accept(site, caller, headers, message);
    }
    // It is valid JSON, so they all stand outside strings.
    let text = std::str::from_utf8(body).expect("what was parsed is UTF-8");
    let line = scan::one_line(text);
    accept(site, caller, headers, parse(line.as_bytes(), site.depth)?)
}

fn accept(site: &Site, caller: Caller, headers: &HeaderMap, message: Message<'_>) -> Result<Begun, Refusal> {
    if let (true, Message::Request { id, .. }) = (site.is_ending(), &message) {
        return Err(Refusal::ending().of(Some(id.get())));
    }
    if modern::speaks(&message, headers) {
        modern::begin(site, caller, headers, message)
    } else {
        legacy::begin(site, caller, headers, message)
    }
}

fn parse(body: &[u8], depth: usize) -> Result<Message<'_>, Refusal> {
    message::parse(body, depth).map_err(|malformed| {
        Refusal::failed(StatusCode::BAD_REQUEST, Failure::malformed(&malformed)).of(malformed.id.as_deref())
    })
}
