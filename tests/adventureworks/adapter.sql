-- The erp contract as views over AdventureWorks, as of the day in adventureworks.as_of. Raw columns are text, as they were loaded.
--
-- Read from the data: suppliers (Vendor), materials (Product, lead time from ProductVendor), stock (ProductInventory), bills of
-- material that are current on the day, purchase orders placed by the day with their lines.
--
-- Made by this adapter, because AdventureWorks has nothing of the kind:
--   * order status 1 -> PENDING_APPROVAL, 2 -> ORDERED, 3 -> REJECTED, 4 -> RECEIVED, but PARTIAL_RECEIVED when a line got less
--     than ordered. Received quantities are not dated there, so an order has them from its first day on.
--   * one work order per assembly with a current bill: quantity 10, planned start = the day + ProductID mod 10 days, PENDING.
--   * one workshop, led by the purchasing employee with the lowest number; users are the employees who bought something.
-- Projects, goods receipts and everything else stay the empty tables of the contract.

drop table erp.users, erp.suppliers, erp.warehouses, erp.materials, erp.inventories, erp.bom_headers, erp.bom_items,
  erp.purchase_orders, erp.purchase_order_items, erp.workshops, erp.work_orders cascade;

create view erp.users as
  select distinct h."EmployeeID"::bigint as id, 'employee-' || h."EmployeeID" as username, 'Employee ' || h."EmployeeID" as real_name,
         null::text as email, null::text as phone, null::text as wechat_userid, null::bigint as department_id, null::bigint as position_id,
         null::bigint as manager_id, 'en'::text as language, 'Asia/Shanghai'::text as time_zone, true as is_active, false as is_superuser
  from adventureworks."PurchaseOrderHeader" h;

create view erp.suppliers as
  select "BusinessEntityID"::bigint as id, "AccountNumber" as supplier_code, "Name" as supplier_name from adventureworks."Vendor";

create view erp.materials as
  select p."ProductID"::bigint as id, p."ProductNumber" as material_code, p."Name" as material_name, null::text as specification,
         null::text as brand, null::text as model, null::text as unit,
         case p."MakeFlag" when '1' then 'MAKE' else 'PURCHASE' end as material_type, nullif(trim(p."Class"), '') as abc_class,
         false as is_key_material, p."SafetyStockLevel"::numeric(14,4) as safety_stock,
         coalesce(v.lead_time, p."DaysToManufacture"::int) as lead_time_days, 1::numeric(14,4) as min_order_qty,
         p."StandardCost"::numeric(14,4) as standard_price, null::bigint as default_supplier_id, null::bigint as buyer_id,
         p."DiscontinuedDate" is null as is_active
  from adventureworks."Product" p
  left join (select "ProductID", min("AverageLeadTime"::int) as lead_time from adventureworks."ProductVendor" group by 1) v using ("ProductID");

create view erp.warehouses as
  select distinct "LocationID"::bigint as id, 'L' || "LocationID" as warehouse_code, 'Location ' || "LocationID" as warehouse_name,
         null::bigint as keeper_id, true as is_active
  from adventureworks."ProductInventory";

create view erp.inventories as
  select row_number() over (order by "ProductID"::int, "LocationID"::int, "Shelf", "Bin"::int) as id, "ProductID"::bigint as material_id,
         "LocationID"::bigint as warehouse_id, "Shelf" || '-' || "Bin" as batch_no, "Quantity"::numeric(14,4) as quantity,
         0::numeric(14,4) as reserved_qty, 0::numeric(14,4) as frozen_qty, null::timestamptz as last_counted_at, d.day::timestamptz as updated_at
  from adventureworks."ProductInventory", adventureworks.as_of d;

create view erp.bom_items as
  select "BillOfMaterialsID"::bigint as id, "ProductAssemblyID"::bigint as bom_id, "ComponentID"::bigint as material_id,
         null::text as specification, null::text as brand, null::text as model, "PerAssemblyQty"::numeric(14,4) as quantity,
         null::numeric(14,4) as unit_price, null::date as required_date, 0::numeric(14,4) as received_qty, false as is_key_item,
         "StartDate"::timestamptz as updated_at
  from adventureworks."BillOfMaterials", adventureworks.as_of d
  where "ProductAssemblyID" is not null and "StartDate"::date <= d.day and ("EndDate" is null or "EndDate"::date > d.day);

create view erp.bom_headers as
  select distinct i.bom_id as id, 'BOM-' || p."ProductNumber" as bom_no, null::bigint as project_id, null::bigint as machine_id,
         i.bom_id as material_id, true as is_latest, 'RELEASED'::text as status
  from erp.bom_items i join adventureworks."Product" p on p."ProductID"::bigint = i.bom_id;

create view erp.purchase_order_items as
  select l."PurchaseOrderDetailID"::bigint as id, l."PurchaseOrderID"::bigint as order_id, l."ProductID"::bigint as material_id,
         null::bigint as bom_item_id, null::text as specification, null::text as brand, null::text as model,
         l."OrderQty"::numeric(14,4) as quantity, l."ReceivedQty"::numeric(14,4) as received_qty, l."DueDate"::date as required_date,
         null::date as promised_date, l."UnitPrice"::numeric(14,4) as unit_price, h."OrderDate"::timestamptz as updated_at
  from adventureworks."PurchaseOrderDetail" l join adventureworks."PurchaseOrderHeader" h using ("PurchaseOrderID"), adventureworks.as_of d
  where h."OrderDate"::date <= d.day;

create view erp.purchase_orders as
  select h."PurchaseOrderID"::bigint as id, 'PO-' || h."PurchaseOrderID" as order_no, h."VendorID"::bigint as supplier_id,
         null::bigint as project_id,
         case h."Status" when '1' then 'PENDING_APPROVAL' when '2' then 'ORDERED' when '3' then 'REJECTED'
           else case when exists (select from adventureworks."PurchaseOrderDetail" l where l."PurchaseOrderID" = h."PurchaseOrderID"
                                    and l."ReceivedQty"::numeric < l."OrderQty"::numeric) then 'PARTIAL_RECEIVED' else 'RECEIVED' end
         end as status,
         null::date as required_date, null::date as promised_date, h."EmployeeID"::bigint as buyer_id, null::text as order_title
  from adventureworks."PurchaseOrderHeader" h, adventureworks.as_of d
  where h."OrderDate"::date <= d.day;

create view erp.workshops as
  select 1::bigint as id, 'AW'::text as workshop_code, 'Assembly'::text as workshop_name, (select min(id) from erp.users) as manager_id,
         8::numeric(5,2) as daily_hours, true as is_active;

create view erp.work_orders as
  select b.id, 'WO-' || p."ProductNumber" as work_order_no, p."Name" as task_name, null::bigint as project_id, null::bigint as machine_id,
         b.id as bom_id, null::bigint as production_plan_id, 1::bigint as workshop_id, 10::numeric(14,4) as plan_qty,
         0::numeric(14,4) as completed_qty, null::numeric(10,2) as standard_hours, d.day + (b.id % 10)::int as plan_start_date,
         null::date as plan_end_date, null::timestamptz as actual_start_time, null::bigint as assigned_worker_id,
         'PENDING'::text as status, 'NORMAL'::text as priority
  from erp.bom_headers b join adventureworks."Product" p on p."ProductID"::bigint = b.id, adventureworks.as_of d;
