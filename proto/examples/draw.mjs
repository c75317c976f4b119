// draw.mjs PROMPT [http://HOST:PORT] - has a darkroom server draw it, shows how far it is,
// writes picture.png. Needs Node 18 or a later one, and nothing else.
import { writeFileSync } from "node:fs";

const [prompt, server = "http://127.0.0.1:7860"] = process.argv.slice(2);

async function ask(path, options) {
    const answer = await fetch(server + path, options);
    if (!answer.ok) throw new Error(await answer.text());
    return answer;
}

/** The messages of a stream of server-sent events. */
async function* messages(answer) {
    let text = "";
    for await (const part of answer.body.pipeThrough(new TextDecoderStream())) {
        const lines = (text + part).split("\n");
        text = lines.pop();
        for (const line of lines)
            if (line.startsWith("data: ")) yield JSON.parse(line.slice(6));
    }
}

const headers = { "Content-Type": "application/json" };
const body = JSON.stringify({ spec: { prompt } });
const { job } = await (await ask("/v1/jobs", { method: "POST", headers, body })).json();
let state;

for await (const event of messages(await ask(`/v1/jobs/${job}/events`))) {
    if (event.type === "queue") console.log("place", event.position);
    if (event.type === "progress")
        console.log(`${event.phase} ${(100 * event.overall).toFixed(0)} %`);
    if (event.type === "result")
        writeFileSync("picture.png", Buffer.from(await (await ask(event.url)).arrayBuffer()));
    if (event.type === "end") ({ state } = event);
}
if (state !== "done") throw new Error(`The picture is not done: ${state}`);
