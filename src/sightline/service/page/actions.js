// What can be done to a job.

import { call } from "./api.js";
import { confirm } from "./confirm.js";

/** Cancel; return the job as it is then. What is finished is kept. */
export const cancelJob = (job) => call(`/v1/jobs/${job.id}/cancel`, { method: "POST" });

/** Queue again; return the job as it is then. */
export const retryJob = (job) => call(`/v1/jobs/${job.id}/retry`, { method: "POST" });

/** Delete after a question; return null if it is gone, undefined if it was not wanted. */
export async function deleteJob(job) {
  const wanted = await confirm({
    title: "Delete this job?",
    text: `The video of ${job.source.name} and all results are removed for good.`,
    yes: "Delete",
  });
  return wanted ? call(`/v1/jobs/${job.id}`, { method: "DELETE" }) : undefined;
}
