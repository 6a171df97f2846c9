/** Ends the process with exit code 2 if this Node is too old to run Millrace. */
const [major = 0, minor = 0] = process.versions.node.split(".").map(Number);
if (major < 20 || (major === 20 && minor < 19)) {
  console.error(`millrace: expected Node 20.19 or newer, this is ${process.versions.node}`);
  process.exit(2);
}
