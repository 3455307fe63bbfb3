//! Asks a legacy client, while its call is open, what a modern one is asked with a result.
//!
//! It knows no tool: it repeats one until it asks for nothing more.

use rmcp::model::{
    ClientCapabilities, GetMeta, InputRequest, InputRequests, InputRequiredResult, InputResponses,
    ServerRequest,
};
use rmcp::service::ServiceError;
use rmcp::{ErrorData, Peer, RoleServer};
use serde::Serialize;
use serde_json::Value;

/// The `_meta` key under which a legacy question says its name.
const INPUT_KEY: &str = "io.github.mcp-manifold/inputKey";

/// More rounds than any tool here has.
const ROUNDS: usize = 8;

/// An outcome that may be a question.
pub trait Outcome: Sized {
    /// The questions, or the outcome itself if it is none.
    fn question(self) -> Result<InputRequiredResult, Self>;
}

/// Runs `step` with the answers and the state so far, until its outcome is no question.
pub async fn until_answered<T: Outcome>(
    peer: &Peer<RoleServer>,
    capabilities: &ClientCapabilities,
    mut step: impl FnMut(Option<&InputResponses>, Option<&str>) -> Result<T, ErrorData>,
) -> Result<T, ErrorData> {
    let mut answers = None;
    let mut state = None;
    for _ in 0..ROUNDS {
        let question = match step(answers.as_ref(), state.as_deref())?.question() {
            Ok(question) => question,
            Err(outcome) => return Ok(outcome),
        };
        answers = Some(all(peer, capabilities, question.input_requests.unwrap_or_default()).await?);
        state = question.request_state;
    }
    Err(ErrorData::internal_error("the client was asked too often", None))
}

async fn all(
    peer: &Peer<RoleServer>,
    capabilities: &ClientCapabilities,
    requests: InputRequests,
) -> Result<InputResponses, ErrorData> {
    let asked = requests.into_iter().map(async |(key, request)| {
        let answer = one(peer, capabilities, &key, request).await?;
        Ok::<_, ErrorData>((key, answer))
    });
    Ok(futures_util::future::try_join_all(asked).await?.into_iter().collect())
}

/// Asks one question, which is called `key`.
pub async fn one(
    peer: &Peer<RoleServer>,
    capabilities: &ClientCapabilities,
    key: &str,
    request: InputRequest,
) -> Result<Value, ErrorData> {
    let missing =
        |what: &str| Err(ErrorData::invalid_request(format!("the client does not declare {what}"), None));
    let mut asked = match request {
        InputRequest::Elicitation(_) if capabilities.elicitation.is_none() => return missing("elicitation"),
        InputRequest::Elicitation(request) => ServerRequest::ElicitRequest(request),
        InputRequest::CreateMessage(_) if capabilities.sampling.is_none() => return missing("sampling"),
        InputRequest::CreateMessage(request) => ServerRequest::CreateMessageRequest(request),
        InputRequest::ListRoots(_) if capabilities.roots.is_none() => return missing("roots"),
        InputRequest::ListRoots(request) => ServerRequest::ListRootsRequest(request),
        _ => return missing("what this asks for"),
    };
    // A gateway in between can use the same name for the question as the modern form has.
    asked.get_meta_mut().0.insert(INPUT_KEY.into(), key.into());
    value(peer.send_request(asked).await)
}

fn value(answer: Result<impl Serialize, ServiceError>) -> Result<Value, ErrorData> {
    let refused = |error: String| ErrorData::internal_error(error, None);
    serde_json::to_value(answer.map_err(|error| refused(error.to_string()))?)
        .map_err(|error| refused(error.to_string()))
}
