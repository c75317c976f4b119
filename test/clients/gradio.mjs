// gradio - the library for JavaScript against the server at argv[2]: prints what it got.
import { createRequire } from "node:module";
import { dirname } from "node:path";
import { pathToFileURL } from "node:url";

const [, , base, modules, token] = process.argv;
const at = createRequire(`${modules}/x`).resolve("@gradio/client/package.json");
const { Client } = await import(pathToFileURL(`${dirname(at)}/dist/index.js`).href);
const client = await Client.connect(base, { events: ["data", "status"], token });
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
const names = api.named_endpoints["/predict"].parameters.map((p) => p.parameter_name);
console.log(JSON.stringify({ names, one: one.data, two: two.data, data, stages, error }));
process.exit(0);
