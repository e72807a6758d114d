// Steps that many tests begin with: a project with photos, a project with a job.
import type { Cloud } from "./cloud.ts";
import type { ScriptedJob } from "./runpod.ts";

/** Bytes that begin like a JPEG. */
export function jpeg(bytes = 2000, seed = 0): Uint8Array<ArrayBuffer> {
  const data = new Uint8Array(bytes).fill(seed % 251);
  data.set([0xff, 0xd8, 0xff, 0xe0]);
  return data;
}

export async function newProject(cloud: Cloud, name = "Teapot"): Promise<string> {
  const { status, json, text } = await cloud.call("POST", "/api/projects", { as: "upload", body: { name } });
  if (status !== 201) throw new Error(text);
  return json.id;
}

export async function uploadPhotos(cloud: Cloud, id: string, count: number): Promise<void> {
  const photos = Array.from({ length: count }, (_, index) => ({ name: `IMG_${index}.jpg`, type: "image/jpeg", bytes: 2000 + index }));
  const declared = await cloud.call("POST", `/api/projects/${id}/photos`, { as: "upload", body: { photos } });
  if (declared.status !== 201) throw new Error(declared.text);
  await Promise.all(
    declared.json.uploads.map(async ({ url, headers }: { url: string; headers: Record<string, string> }, index: number) => {
      const response = await fetch(url, { method: "PUT", headers, body: jpeg(2000 + index, index) });
      if (response.status !== 200) throw new Error(`PUT: ${response.status} ${await response.text()}`);
    }),
  );
}

export async function startJob(cloud: Cloud, photos = 5): Promise<{ id: string; job: ScriptedJob }> {
  const id = await newProject(cloud);
  await uploadPhotos(cloud, id, photos);
  const started = await cloud.call("POST", `/api/projects/${id}/jobs`, { as: "upload", body: { preset: "preview" } });
  if (started.status !== 202) throw new Error(started.text);
  return { id, job: cloud.runpod.jobOf(id) };
}

/** Asks until the project is as wanted; throws with its last state after `limitMs`. */
export async function until(cloud: Cloud, id: string, state: string, limitMs = 50_000): Promise<Record<string, unknown>> {
  const end = Date.now() + limitMs;
  for (;;) {
    const { json } = await cloud.call("GET", `/api/projects/${id}`);
    if (json.state === state) return json;
    if (Date.now() > end) throw new Error(`project is ${json.state}, wanted ${state}: ${JSON.stringify(json)}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}
