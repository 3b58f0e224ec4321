// Tells the dashboards what happened, through Deskbell. Takes the place of the Socket.IO server inside of the Next.js
// application: whatever called these functions stays as it is. DESKBELL_URL and DESKBELL_APP_SECRET say where and who.
type Data = Record<string, unknown>;
export type SocketEvent = { type: "booking" | "payment" | "payout" | "notification"; action: string };

async function tell(event: SocketEvent, data: Data, targetUsers: string[]): Promise<void> {
  const answer = await fetch(`${process.env.DESKBELL_URL ?? "http://127.0.0.1:8080"}/api/socket`, {
    method: "POST",
    headers: { "content-type": "application/json", authorization: `Bearer ${process.env.DESKBELL_APP_SECRET}` },
    body: JSON.stringify({ event, data, targetUsers }),
    cache: "no-store",
    signal: AbortSignal.timeout(5_000),
  });
  // Whoever has changed a booking has changed it, whether its dashboards could be told or not.
  if (!answer.ok) console.error(`Deskbell: ${event.type} ${event.action}: ${answer.status} ${await answer.text()}`);
}

const telling = (type: SocketEvent["type"]) => (id: string, action: string, data: Data, targetUsers: string[] = []) =>
  tell({ type, action }, { id, ...data }, targetUsers).catch((error) => console.error(`Deskbell: ${error}`));

export const broadcastBookingUpdate = telling("booking");
export const broadcastPaymentUpdate = telling("payment");
export const broadcastPayoutUpdate = telling("payout");

export const broadcastNotification = (userIds: string[], type: string, title: string, message: string) =>
  telling("notification")("", type, { title, message }, userIds);

export const broadcastBookingAccepted = (booking: Data & { id: string }, client: { id: string }, provider: { id: string }) =>
  broadcastBookingUpdate(booking.id, "accepted", booking, [client.id, provider.id]);

export const broadcastPaymentStatusChange = (payment: Data & { id: string }, targetUsers: string[]) =>
  broadcastPaymentUpdate(payment.id, "status_changed", payment, targetUsers);

export const broadcastPayoutStatusChange = (payout: Data & { id: string }, targetUsers: string[]) =>
  broadcastPayoutUpdate(payout.id, "status_changed", payout, targetUsers);
