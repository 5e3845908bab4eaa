// An editor by the official TypeScript SDK of the Agent Client Protocol: `node acp_editor.mjs SDK COMMAND ARGUMENT…` drives that agent
// through a conversation and prints what it was told as one JSON object. The SDK reads every message by the protocol's schema.
import { spawn } from "node:child_process";
import { Readable, Writable } from "node:stream";
import { pathToFileURL } from "node:url";

const [sdk, command, ...rest] = process.argv.slice(2);
const acp = await import(pathToFileURL(sdk).href);
const agent = spawn(command, rest, { stdio: ["pipe", "pipe", "inherit"] });
const ended = new Promise((resolve) => agent.on("exit", resolve));
const report = { updates: [], asked: [] };
let choose = "";
let cancel = () => {};

const editor = acp
  .client({ name: "a test" })
  .onRequest(acp.methods.client.session.requestPermission, ({ params }) => {
    report.asked.push(params.toolCall);
    if (choose === "cancelled") {
      cancel();
      return { outcome: { outcome: "cancelled" } };
    }
    const option = params.options.find((each) => each.kind === choose);
    return { outcome: { outcome: "selected", optionId: option.optionId } };
  })
  .onNotification(acp.methods.client.session.update, ({ params }) => void report.updates.push(params));

const stream = acp.ndJsonStream(Writable.toWeb(agent.stdin), Readable.toWeb(agent.stdout));
await editor.connectWith(stream, async (to) => {
  const { session } = acp.methods.agent;
  const says = (text) => [{ type: "text", text }];
  const prompt = (sessionId, text) => to.request(session.prompt, { sessionId, prompt: says(text) });
  const refusal = async (asked) => asked.then(() => null, (error) => ({ code: error.code, message: error.message }));

  report.initialized = await to.request(acp.methods.agent.initialize, { protocolVersion: acp.PROTOCOL_VERSION, clientCapabilities: {} });
  report.opened = await to.request(session.new, { cwd: "/", mcpServers: [] });
  const { sessionId } = report.opened;
  report.read = await prompt(sessionId, "what is on 1 May 2027?");
  choose = "allow_once";
  report.granted = await prompt(sessionId, "add Tea");
  choose = "reject_once";
  report.refused = await prompt(sessionId, "add Rent");
  choose = "cancelled";
  cancel = () => to.notify(session.cancel, { sessionId });
  report.cancelled = await prompt(sessionId, "add Walk");
  report.mode = await to.request(session.setMode, { sessionId, modeId: "later" });
  report.option = await to.request(session.setConfigOption, { sessionId, configId: "model", value: "balanced" });
  report.left = await prompt(sessionId, "add Later");
  report.listed = await to.request(session.list, {});
  const before = report.updates.length;
  report.loaded = await to.request(session.load, { sessionId, cwd: "/", mcpServers: [] });
  report.replayed = report.updates.splice(before);
  report.resumed = await to.request(session.resume, { sessionId, cwd: "/" });
  report.closed = await to.request(session.close, { sessionId });
  report.gone_on = await prompt(sessionId, "what is on 1 May 2027?");
  report.deleted = await to.request(session.delete, { sessionId });
  report.not_there = await refusal(to.request(session.load, { sessionId, cwd: "/", mcpServers: [] }));
  report.wrong_mode = await refusal(to.request(session.setMode, { sessionId, modeId: "fly" }));
});
agent.stdin.end();
report.exit = await ended;
process.stdout.write(JSON.stringify(report));
