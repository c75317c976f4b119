// gradio - the library for JavaScript against the server at argv[2]: prints what it got. It says
// who it is by AUTH, a password, or TOKEN of the environment.
import { createRequire } from "node:module";
import { dirname } from "node:path";
import { pathToFileURL } from "node:url";

const [, , base, modules, picture] = process.argv; // a file, where the model reads pictures
const at = createRequire(`${modules}/x`).resolve("@gradio/client/package.json");
const { Client, handle_file } = await import(pathToFileURL(`${dirname(at)}/dist/index.js`).href);
const { AUTH, TOKEN } = process.env;
const who = { ...(AUTH && { auth: ["any name", AUTH] }), ...(TOKEN && { token: TOKEN }) };
const client = await Client.connect(base, { events: ["data", "status"], ...who });
const named = { prompt: "a red circle on a blue background", width: 64, height: 64, steps: 4 };

const api = await client.view_api();
const one = await client.predict("/predict", { ...named, seed: 7 });
const two = await client.predict("/predict", [named.prompt, "", 64, 64, 4, 1.5, 8]);
const stages = [];
const last = client.submit("/predict", { ...named, seed: 9 });
let data = null;
for await (const event of last) {
    if (event.type === "data") data = event.data;
    if (event.type === "status") stages.push(event.stage);
    if (event.type === "status" && event.stage === "complete") break;
}
let error = null;
try {
    await client.predict("/predict", { prompt: "" });
} catch (e) {
    error = e.message ?? String(e);
}
let edited = null;
if (picture) {
    const image = handle_file(picture);
    edited = (await client.predict("/predict", { ...named, seed: 7, image })).data;
}
const names = api.named_endpoints["/predict"].parameters.map((p) => p.parameter_name);
console.log(JSON.stringify({ names, one: one.data, two: two.data, data, stages, error, edited }));
process.exit(0);
