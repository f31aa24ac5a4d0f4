/** Scripts of PyTorch, for machines that have it. */

/** The number that a script in this folder prints; null where there is no PyTorch. */
export async function torchNumber(script: string, ...args: number[]): Promise<number | null> {
  const path = new URL(script, import.meta.url).pathname;
  const python = Deno.env.get("PYTHON") ?? "/usr/bin/python3";
  const command = { args: [path, ...args.map(String)], stderr: "null" as const };
  try {
    const { success, stdout } = await new Deno.Command(python, command).output();
    return success ? Number(new TextDecoder().decode(stdout)) : null;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return null;
    throw error;
  }
}
