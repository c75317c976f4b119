// openai - the library for JavaScript against the server at argv[2]: prints what it got.
import { createRequire } from "node:module";
import { pathToFileURL } from "node:url";

const [, , base, modules] = process.argv;
const path = createRequire(`${modules}/x`).resolve("openai");
const { default: OpenAI } = await import(pathToFileURL(path).href);
const client = new OpenAI({ baseURL: `${base}/v1`, apiKey: "sk-none" });
const prompt = "a red circle on a blue background";
const request = { model: "gpt-image-1", prompt, size: "64x64", steps: 8 };

const one = await client.images.generate(request);
const events = [];
const stream = await client.images.generate({ ...request, stream: true, partial_images: 2 });
for await (const event of stream) events.push({ type: event.type, picture: event.b64_json });
let error = null;
try {
    await client.images.generate({ ...request, n: 11 });
} catch (e) {
    const { status, code, param, type } = e;
    error = { kind: e.constructor.name, status, code, param, type };
}
const models = [];
for await (const model of await client.models.list()) models.push(model.id);
const picture = one.data[0].b64_json;
console.log(JSON.stringify({ picture, size: one.size, events, error, models }));
