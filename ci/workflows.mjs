// ci/workflows.mjs FILE…: reads actions and workflows with GitHub's own parser (npm: @actions/workflow-parser) and prints what it
// refuses. The variable CHECK_TOOLS names the directory in which ./check installed it.
import { readFileSync } from 'node:fs';
import { register } from 'node:module';
import { pathToFileURL } from 'node:url';

// The package imports JSON without the attribute that Node demands.
const hook = `export async function resolve(name, context, next) {
    const found = await next(name, context);
    return found.url.endsWith('.json') ? { ...found, importAttributes: { type: 'json' } } : found;
}`;
register(`data:text/javascript,${encodeURIComponent(hook)}`);

const tools = process.env.CHECK_TOOLS;
const entry = `${tools}/node_modules/@actions/workflow-parser/dist`;
const load = (file) => import(pathToFileURL(`${entry}/${file}`).href);
const { convertWorkflowTemplate, parseWorkflow, NoOperationTraceWriter } = await load('index.js');
const { parseAction } = await load('actions/index.js');

let wrong = 0;
for (const name of process.argv.slice(2)) {
    const file = { name, content: readFileSync(name, 'utf8') };
    const isAction = /(^|\/)action\.ya?ml$/.test(name);
    const { context, value } = (isAction ? parseAction : parseWorkflow)(file, new NoOperationTraceWriter());
    if (!isAction && value) {
        await convertWorkflowTemplate(context, value, undefined);
    }
    for (const error of context.errors.getErrors()) {
        console.log(error.message);
        wrong += 1;
    }
}
process.exit(wrong === 0 ? 0 : 1);
