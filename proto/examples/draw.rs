// draw.rs PROMPT [http://HOST:PORT] - has a darkroom server draw it, shows how far it is, writes
// picture.png. Needs rustc 1.58 or a later one, and nothing else: rustc draw.rs && ./draw PROMPT
use std::{env, error::Error, fs, io, io::{BufRead, BufReader, Write}, net::TcpStream};

/// What a request is answered, behind the head; by HTTP/1.0, so it comes as it is, not in chunks.
fn ask(host: &str, request: &str, body: &str) -> Result<BufReader<TcpStream>, Box<dyn Error>> {
    let (mut reply, mut head) = (BufReader::new(TcpStream::connect(host)?), String::new());
    let kind = format!("Content-Type: application/json\r\nContent-Length: {}", body.len());
    write!(reply.get_mut(), "{request} HTTP/1.0\r\nHost: {host}\r\n{kind}\r\n\r\n{body}")?;
    while reply.read_line(&mut head)? > 2 {}
    if head.get(8..11) == Some(" 20") { return Ok(reply) }
    Err(reply.lines().collect::<io::Result<String>>()?.into())
}

/// The member of this name, a text or a number.
fn field<'a>(json: &'a str, name: &str) -> &'a str {
    let rest = json.split_once(&format!("\"{name}\":")).map_or("", |(_, rest)| rest);
    rest.trim_start_matches('"').split(&['"', ',', '}'][..]).next().unwrap_or("")
}

fn main() -> Result<(), Box<dyn Error>> {
    let prompt = env::args().nth(1).ok_or("The prompt is missing.")?.replace(char::is_control, " ");
    let text = prompt.replace('\\', "\\\\").replace('"', "\\\"");
    let server = env::args().nth(2).unwrap_or("http://127.0.0.1:7860".into());
    let (host, mut url) = (server.trim_start_matches("http://"), String::new());
    let job = ask(host, "POST /v1/jobs", &format!("{{\"spec\":{{\"prompt\":\"{text}\"}}}}"))?;
    let job = job.lines().collect::<io::Result<String>>()?;
    let events = ask(host, &format!("GET /v1/jobs/{}/events", field(&job, "job")), "")?;
    for line in events.lines().map_while(Result::ok) {
        match field(&line, "type") {
            "queue" => println!("place {}", field(&line, "position")),
            "progress" => println!("{} {}", field(&line, "phase"), field(&line, "overall")),
            "result" => url = field(&line, "url").into(),
            _ => {}
        }
    }
    if url.is_empty() { return Err("The picture is not done.".into()) }
    io::copy(&mut ask(host, &format!("GET {url}"), "")?, &mut fs::File::create("picture.png")?)?;
    Ok(())
}
