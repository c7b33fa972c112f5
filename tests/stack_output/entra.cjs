// Signs in to Entra ID with Microsoft's own library, and decrypts with a key vault; prints what came of it, one result a line.
const { ClientAssertionCredential, ClientSecretCredential } = require("@azure/identity");
const { CryptographyClient } = require("@azure/keyvault-keys");

const [tenant, client, wrapped] = process.argv.slice(2);
const options = { disableInstanceDiscovery: true, retryOptions: { maxRetries: 0 } };

async function main() {
  const bySecret = new ClientSecretCredential(tenant, client, process.env.CLIENT_SECRET, options);
  const byToken = new ClientAssertionCredential(tenant, client, async () => process.env.CLIENT_ASSERTION, options);
  for (const credential of [bySecret, byToken]) {
    console.log((await credential.getToken("https://storage.azure.com/.default")).token.split(".").length);
  }
  const vault = new CryptographyClient("https://v.vault.azure.net/keys/k/1", bySecret);
  const opened = await vault.decrypt({ algorithm: "RSA-OAEP-256", ciphertext: Buffer.from(wrapped, "base64") });
  console.log(Buffer.from(opened.result).toString("base64"));
}

main().catch((error) => {
  console.error(error);
  process.exit(1);
});
