// The server that the page comes from, and nobody else.

import { createClient, type Interceptor } from "@connectrpc/connect";
import { createGrpcWebTransport } from "@connectrpc/connect-web";
import { ExplanationService } from "../gen/unmask/v1/explanation_service_pb";
import { EvaluationService } from "../gen/unmask/v1/evaluation_service_pb";
import { ModelService } from "../gen/unmask/v1/model_service_pb";

let token = "";

/** Sends this token from here on. It is in memory alone. */
export function use(given: string): void {
  token = given.trim();
}

const bearer: Interceptor = (next) => (request) => {
  if (token !== "") request.header.set("authorization", `Bearer ${token}`);
  return next(request);
};

const transport = createGrpcWebTransport({ baseUrl: location.origin, interceptors: [bearer] });

export const explanations = createClient(ExplanationService, transport);
export const evaluations = createClient(EvaluationService, transport);
export const models = createClient(ModelService, transport);
