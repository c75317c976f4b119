"""draw.py PROMPT [http://HOST:PORT] - has a darkroom server draw it, shows how far it is, writes
picture.png. Needs websockets (Debian: python3-websockets)."""
import asyncio, json, sys, urllib.request
import websockets

async def draw(prompt, server="http://127.0.0.1:7860"):
    address = server.replace("http", "ws", 1) + "/ws"
    async with websockets.connect(address, subprotocols=["darkroom.v1"]) as ws:
        await ws.send(json.dumps({"type": "submit", "spec": {"prompt": prompt}}))
        async for message in ws:
            if isinstance(message, bytes):
                continue                      # a preview: 32 bytes of header, then a JPEG
            event = json.loads(message)
            if event["type"] == "queue":
                print("place", event["position"])
            elif event["type"] == "progress":
                print(f"{event['phase']} {100 * event['overall']:.0f} %")
            elif event["type"] == "result":
                urllib.request.urlretrieve(server + event["url"], "picture.png")
            elif event["type"] == "end" and event["state"] == "done":
                return
            elif event["type"] in ("end", "error"):
                sys.exit(json.dumps(event))
    sys.exit("The connection ended before the picture was there.")

asyncio.run(draw(*sys.argv[1:]))
